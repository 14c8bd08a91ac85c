package bus

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusedLoginsAreTriedLessOftenAndToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLogins(Config{}, slog.New(slog.NewTextHandler(&out, nil)))
		why := errors.New("NATS refused the login")
		begin, longest, tries := time.Now(), time.Duration(0), 0
		for time.Since(begin) < 10*time.Minute {
			l.refused(why)
			wait := l.pause(tries)
			longest = max(longest, wait)
			time.Sleep(wait)
			tries++
		}
		if longest < loginPause || longest > loginPause+l.spread {
			t.Errorf("the longest pause is %v, want %v", longest, loginPause)
		}
		if tries < 110 || tries > 140 {
			t.Errorf("%d tries in ten minutes", tries)
		}
		if n := strings.Count(out.String(), "level=ERROR"); n < 9 || n > 11 || n != strings.Count(out.String(), "\n") {
			t.Errorf("told %d times in ten minutes:\n%s", n, out.String())
		}
		out.Reset()
		l.refused(errors.New("the login has expired"))
		if !strings.Contains(out.String(), "expired") {
			t.Errorf("another reason is not told: %s", out.String())
		}
		time.Sleep(2 * loginPause)
		if wait := l.pause(0); wait > reconnectWait+l.spread {
			t.Errorf("a server that is away is tried every %v", wait)
		}
		l.taken()
		out.Reset()
		l.refused(why)
		if !strings.Contains(out.String(), "refused") {
			t.Error("a refusal after the login was taken is not told")
		}
		if wait := l.pause(0); wait > 2*reconnectWait+l.spread {
			t.Errorf("the first pause is %v", wait)
		}
	})
}
