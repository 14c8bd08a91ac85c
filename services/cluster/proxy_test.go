package cluster

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// echo serves what it is sent, a line at a time, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

type line struct {
	net.Conn
	r *bufio.Reader
}

func (l line) say(t *testing.T, what string) {
	t.Helper()
	if l.Conn == nil {
		t.Fatal("the connection was turned away")
	}
	if _, err := io.WriteString(l, what+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (l line) hear(t *testing.T, want string) {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := l.r.ReadString('\n'); err != nil || got != want+"\n" {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func proxied(t *testing.T, address string) (*proxy, func() line) {
	t.Helper()
	p := newProxy(slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.door(l, address)
	t.Cleanup(p.close)
	return p, func() line {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if errors.Is(err, syscall.ECONNRESET) {
			return line{} // turned away before Dial had looked
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return line{c, bufio.NewReader(c)}
	}
}

// refused wants a connection to be ended by the other side, which tells nothing before.
func (l line) refused(t *testing.T, what string) {
	t.Helper()
	if l.Conn == nil {
		return
	}
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestProxyPassesOn(t *testing.T) {
	_, dial := proxied(t, echo(t))
	a, b := dial(), dial()
	a.say(t, "one")
	b.say(t, "two")
	a.hear(t, "one")
	b.hear(t, "two")
}

func TestACutIsNoticedAndMended(t *testing.T) {
	p, dial := proxied(t, echo(t))
	a := dial()
	a.say(t, "one")
	a.hear(t, "one")
	p.set(parted)
	a.refused(t, "a cut connection")
	b := dial()
	b.refused(t, "a connection made while cut")
	p.set(flowing)
	c := dial()
	c.say(t, "three")
	c.hear(t, "three")
}

func TestWhatIsStalledArrivesAfterMending(t *testing.T) {
	p, dial := proxied(t, echo(t))
	a := dial()
	a.say(t, "one")
	a.hear(t, "one")
	p.set(stalled)
	a.say(t, "two")
	b := dial()
	b.say(t, "three")
	for _, l := range []line{a, b} {
		if err := l.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.r.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a stalled connection: %v, want silence", err)
		}
	}
	p.set(flowing)
	a.hear(t, "two")
	b.hear(t, "three")
}

func TestAStalledProxyCloses(t *testing.T) {
	p, dial := proxied(t, echo(t))
	dial().say(t, "one")
	p.set(stalled)
	dial().say(t, "two")
	p.close()
	p.set(parted) // harmless after that
}

func TestAProxyRefusesMoreThanItsBound(t *testing.T) {
	_, dial := proxied(t, echo(t))
	var held []line
	for range proxyConns { // each is one in and one out
		l := dial()
		l.say(t, "one")
		l.hear(t, "one")
		held = append(held, l)
	}
	dial().refused(t, "a connection above the bound")
	held[0].say(t, "two")
	held[0].hear(t, "two")
}
