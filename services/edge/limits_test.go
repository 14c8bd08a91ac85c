package edge

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

func TestAClientPastItsLimitIsToldWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := unlimited()
		cfg.Limits.Reads = Rate{PerSecond: 2, Burst: 3}
		cfg.Limits.Anonymous = Rate{PerSecond: 1, Burst: 1}
		s := w.edge(t, cfg)
		get := func(as, from string) reply {
			return s.do(t, call{method: "GET", path: "/v1/rooms/" + open, as: as, from: from})
		}
		for i := range 3 {
			r := get(bob, "")
			if want := fmt.Sprintf(`"reads";r=%d;t=0`, 2-i); r.status != 200 || r.header.Get("RateLimit") != want || r.header.Get("RateLimit-Policy") != `"reads";q=3;w=2` {
				t.Fatalf("got %v %v", r, r.header)
			}
		}
		r := get(bob, "198.51.100.7") // a user is one client wherever they are
		if p := r.problem(t); p.Code != subjects.CodeRateLimited || p.Status != 429 || r.header.Get("Retry-After") != "1" || r.header.Get("RateLimit") != `"reads";r=0;t=1` {
			t.Fatalf("got %v %v", r, r.header)
		}
		if r := get(ada, ""); r.status != 200 {
			t.Fatalf("another user pays for the first: %v", r)
		}
		if a, b, c := get("", "").status, get("", "").status, get("", "198.51.100.7").status; a != 200 || b != 429 || c != 200 {
			t.Fatalf("by address: %d, %d, %d", a, b, c)
		}
		time.Sleep(500 * time.Millisecond)
		if a, b := get(bob, "").status, get(bob, "").status; a != 200 || b != 429 {
			t.Fatalf("after half a second: %d, %d", a, b)
		}
		time.Sleep(time.Hour)
		for range 3 {
			if r := get(bob, ""); r.status != 200 {
				t.Fatalf("after an hour: %v", r)
			}
		}
		if r := get(bob, ""); r.status != 429 {
			t.Fatalf("a pause earned more than the burst: %v", r)
		}
	})
}

func TestTokensThatAreNotValidCountAgainstTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := unlimited()
		cfg.Limits.Anonymous = Rate{PerSecond: 1, Burst: 2}
		s := w.edge(t, cfg)
		var got []int
		for i := range 4 {
			got = append(got, s.do(t, call{method: "GET", path: "/v1/me", header: map[string]string{"Authorization": fmt.Sprint("Bearer guess", i)}}).status)
		}
		if fmt.Sprint(got) != "[401 401 429 429]" {
			t.Fatalf("got %v", got)
		}
		if r := s.do(t, call{method: "GET", path: "/v1/me", as: bob}); r.status != 200 {
			t.Fatalf("a user with a token pays for it: %v", r)
		}
	})
}

func TestLoginsAreLimitedByAccountAndAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		cfg := unlimited()
		cfg.Limits.Accounts = Rate{PerSecond: 1, Burst: 6}
		cfg.Limits.Logins = Rate{PerSecond: 0.1, Burst: 2}
		s := w.edge(t, cfg)
		login := func(email, from string) int {
			return s.do(t, call{method: "POST", path: "/v1/auth/login", from: from, body: `{"email":"` + email + `","password":"x"}`}).status
		}
		got := []int{login("a@x", ""), login("A@x ", ""), login("a@x", ""), login("b@x", ""), login("a@x", "198.51.100.7")}
		if fmt.Sprint(got) != "[200 200 429 200 200]" {
			t.Fatalf("got %v", got)
		}
		got = []int{login("c@x", ""), login("d@x", ""), login("e@x", ""), login("f@x", "198.51.100.7")}
		if fmt.Sprint(got) != "[200 200 429 200]" {
			t.Fatalf("many accounts from one address: %v", got)
		}
		if w.logged() == "" || strings.Contains(w.logged(), "a@x") {
			t.Fatal("the log holds an address")
		}
	})
}

func TestTheExemptAreNotLimited(t *testing.T) {
	w := newWorld()
	cfg := unlimited()
	cfg.Limits.Anonymous = Rate{PerSecond: 0.001, Burst: 1}
	cfg.Limits.Exempt = []string{"127.0.0.0/8", "::1"}
	s := w.edge(t, cfg)
	for range 5 {
		for _, from := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.9"} {
			if r := s.do(t, call{method: "GET", path: "/v1/time", from: from}); r.status != 200 || r.header.Get("RateLimit") != "" {
				t.Fatalf("%s: %v", from, r)
			}
		}
	}
}

func TestClientsAreForgottenAtTheBound(t *testing.T) {
	l, err := newLimiter(Limits{Reads: Rate{PerSecond: 0.001, Burst: 1}, Clients: 3})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 100 {
		if !l.take(client{classReads, fmt.Sprint(i)}, now).ok {
			t.Fatal("a new client is refused")
		}
	}
	if n := l.buckets.Len(); n != 3 {
		t.Fatalf("%d clients are remembered", n)
	}
	if l.take(client{classReads, "99"}, now).ok || !l.take(client{classReads, "0"}, now).ok {
		t.Fatal("the last is remembered, the first forgotten")
	}
}

func TestTheClientsAddress(t *testing.T) {
	w := newWorld()
	cfg := unlimited()
	cfg.TrustedProxies = []string{"10.0.0.0/8", "2001:db8::1"}
	s := w.edge(t, cfg)
	for _, c := range []struct{ from, forwarded, want string }{
		{"192.0.2.1", "", "192.0.2.1"},
		{"192.0.2.1", "203.0.113.9", "192.0.2.1"}, // said by whoever
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"}, // the first was made up by the client
		{"10.0.0.1", "198.51.100.1, 203.0.113.9, 10.2.3.4", "203.0.113.9"},
		{"10.0.0.1", "10.9.9.9", "10.9.9.9"},
		{"10.0.0.1", "203.0.113.9, garbage", "10.0.0.1"},
		{"10.0.0.1", " ::ffff:203.0.113.9 ", "203.0.113.9"},
		{"2001:db8::1", "2001:db8:1::7", "2001:db8:1::7"},
		{"10.0.0.1", strings.Repeat("10.0.0.2,", 5000) + "10.0.0.3", "10.0.0.2"},
	} {
		w.log.Reset()
		s.do(t, call{method: "GET", path: "/v1/time", from: c.from, header: map[string]string{"X-Forwarded-For": c.forwarded}})
		if !strings.Contains(w.logged(), `"from":"`+c.want+`"`) {
			t.Errorf("%s, %.40s: want %s, log %s", c.from, c.forwarded, c.want, w.logged())
		}
	}
	for a, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64"} {
		if got := addressKey(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s counts as %s, want %s", a, got, want)
		}
	}
}
