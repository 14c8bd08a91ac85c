package catalog

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"testing"
)

func TestPermitted(t *testing.T) {
	const never, home, open = 0, 1, 2
	for text, want := range map[string]int{
		"8.8.8.8": open, "1.1.1.1": open, "93.184.216.34": open, "2606:4700:4700::1111": open, "2a00:1450::1": open,
		"::ffff:8.8.8.8": open, "64:ff9b::8.8.8.8": open, "172.32.0.1": open, "100.128.0.1": open,
		"127.0.0.1": home, "127.9.9.9": home, "::1": home, "10.0.0.1": home, "172.16.0.1": home, "172.31.255.255": home,
		"192.168.1.1": home, "100.64.0.1": home, "100.127.255.255": home, "fd00::1": home, "fc00::1": home,
		"::ffff:127.0.0.1": home, "::ffff:10.1.2.3": home, "64:ff9b::10.0.0.1": home,
		"0.0.0.0": never, "0.1.2.3": never, "::": never, "169.254.169.254": never, "::ffff:169.254.169.254": never,
		"64:ff9b::169.254.169.254": never, "fe80::1": never, "fe80::1%eth0": never, "224.0.0.1": never, "239.1.1.1": never,
		"255.255.255.255": never, "240.0.0.1": never, "192.0.0.192": never, "192.0.2.1": never, "198.18.0.1": never,
		"198.51.100.7": never, "203.0.113.7": never, "100.100.100.200": never, "168.63.129.16": never, "fd00:ec2::254": never,
		"ff02::1": never, "2001::1": never, "2001:db8::1": never, "2002:7f00:1::": never, "3fff::1": never, "::7f00:1": never,
		"64:ff9b:1::1": never, "100::1": never, "fec0::1": never, "4000::1": never, "192.88.99.1": never,
	} {
		a := netip.MustParseAddr(text)
		if got := permitted(a, false); got != (want == open) {
			t.Errorf("%s: permitted to all: %v", text, got)
		}
		if got := permitted(a, true); got != (want != never) {
			t.Errorf("%s: permitted with private networks: %v", text, got)
		}
	}
	if permitted(netip.Addr{}, true) {
		t.Error("no address is permitted")
	}
}

// What is said of a name that leads into the private network and of one that leads nowhere
// must not tell the two apart.
func TestForbiddenAndMissingNamesAreAnsweredAlike(t *testing.T) {
	missing := &net.DNSError{Err: "no such host", Name: "db.internal.example", IsNotFound: true}
	wrap := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://db.internal.example/", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	a, b := explain(wrap(missing)), explain(wrap(errForbidden))
	if a.Error() != b.Error() || !errors.Is(a, ErrForbiddenAddress) || !errors.Is(b, ErrForbiddenAddress) {
		t.Errorf("%v; %v", a, b)
	}
	if !lasting(a) || !lasting(b) {
		t.Error("only one of them is remembered")
	}
	for _, kind := range []error{
		&net.DNSError{Err: "server misbehaving", Name: "x", IsTemporary: true},
		&net.DNSError{Err: "i/o timeout", Name: "x", IsTimeout: true},
	} {
		if err := explain(wrap(kind)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

func FuzzPermitted(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		if permitted(a, false) && !permitted(a, true) {
			t.Errorf("%v: allowing private networks closed it", a)
		}
		if u := a.Unmap(); permitted(a, false) && (!u.IsGlobalUnicast() || u.IsPrivate()) {
			t.Errorf("%v is permitted", a)
		}
		if permitted(a, false) != permitted(a.Unmap(), false) {
			t.Errorf("%v: its mapped form is judged otherwise", a)
		}
	})
}

func TestEachRefusalIsOneKind(t *testing.T) {
	all := []error{ErrUnknown, ErrForbiddenAddress, ErrTooLarge, ErrNotMedia, ErrUnavailable, ErrUnconfigured, ErrClosed}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("%v is %v: %v", a, b, errors.Is(a, b))
			}
		}
	}
	if !Retryable(ErrUnavailable) || Retryable(ErrUnknown) || Retryable(nil) {
		t.Error("Retryable")
	}
}
