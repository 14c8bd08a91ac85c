package catalog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// special are the networks that are not the public internet, beyond those that netip
// knows by name. They follow the special-purpose registries of IANA (RFC 6890 and its
// updates); the last is where one cloud keeps its metadata although it looks public.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // behind a provider's NAT
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and broadcast
	"2001::/23",       // protocol assignments, Teredo
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4, which hides a v4 address
	"3fff::/20",       // documentation
	"168.63.129.16/32",
)

// unicast6 is all of IPv6 that is given out to the public; nat64 maps IPv4 into it.
var (
	unicast6 = netip.MustParsePrefix("2000::/3")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
	carrier  = netip.MustParsePrefix("100.64.0.0/10")
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// permitted reports whether the server may connect to an address on a stranger's word.
// With private, it may also reach this machine and the networks at home (loopback,
// RFC 1918, RFC 4193 and, for overlay networks, RFC 6598); never link-local addresses,
// where clouds hand out credentials, nor multicast or reserved ones.
func permitted(a netip.Addr, private bool) bool {
	a = a.Unmap()
	if !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		return false
	}
	if a == netip.MustParseAddr("fd00:ec2::254") { // a cloud's metadata in private clothes
		return false
	}
	if a.IsLoopback() || a.IsPrivate() || carrier.Contains(a) {
		return private && a != netip.MustParseAddr("100.100.100.200")
	}
	if nat64.Contains(a) {
		b := a.As16()
		return permitted(netip.AddrFrom4([4]byte(b[12:])), private)
	}
	if a.Is6() && !unicast6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// newGuardedClient returns an HTTP client for addresses that strangers typed. Each
// connection is checked when it is made, on the address it really goes to, after names
// were resolved; each redirect makes a new one. It uses no proxy, which would make the
// connection in its stead, sends no credentials and follows a bounded number of
// redirects.
func newGuardedClient(cfg URLConfig) *http.Client {
	dialer := &net.Dialer{
		Timeout: 5 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !permitted(ap.Addr(), cfg.AllowPrivate) {
				return errForbidden
			}
			return nil
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConns:           32,
			MaxIdleConnsPerHost:    2,
			MaxConnsPerHost:        8,
			IdleConnTimeout:        10 * time.Second,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > cfg.MaxRedirects {
				return fmt.Errorf("%w: more than %d redirects", ErrNotMedia, cfg.MaxRedirects)
			}
			if err := followable(req.URL); err != nil {
				return err
			}
			req.Header.Del("Referer")
			return nil
		},
	}
}

// errForbidden says no more than that: which address a name leads to, and whether it leads
// to any, is nobody's business. A different answer for names that do not exist would tell
// which names there are in the private network.
var errForbidden = fmt.Errorf("%w: there is no such host on the public internet; the operator can allow private networks with catalog.url.allow_private", ErrForbiddenAddress)

// followable reports whether an address is of a form that is ever fetched.
func followable(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: only http and https", ErrForbiddenAddress)
	case u.Hostname() == "":
		return fmt.Errorf("%w: no host", ErrForbiddenAddress)
	case u.User != nil:
		return fmt.Errorf("%w: it contains a user name or password", ErrForbiddenAddress)
	}
	return nil
}

// explain turns an error of the HTTP client into one of this package, without the
// addresses in it. A name that does not exist is answered like one that is not permitted.
func explain(err error) error {
	var (
		dns *net.DNSError
		u   *url.Error
	)
	switch {
	case errors.Is(err, errForbidden):
		return errForbidden
	case errors.Is(err, ErrForbiddenAddress), errors.Is(err, ErrNotMedia): // from CheckRedirect
		if errors.As(err, &u) {
			return u.Err
		}
		return err
	case errors.As(err, &dns) && dns.IsNotFound:
		return errForbidden
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: its server took too long", ErrUnavailable)
	}
	return fmt.Errorf("%w: its server did not answer properly", ErrUnavailable)
}
