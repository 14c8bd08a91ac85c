package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// logged writes a log of one life before this one, and gives where this one begins.
func logged(t *testing.T, before, now string) (path string, from int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(before+now), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, int64(len(before))
}

func TestTheLastWordsOfALongLog(t *testing.T) {
	path, _ := logged(t, "", strings.Repeat("long ago\n", 10_000)+"the end\n")
	got := lastWords(path, 0)
	if len(got) != lastLines || got[lastLines-1] != "the end" || got[0] != "long ago" {
		t.Fatalf("%q", got)
	}
	if got := lastWords(filepath.Join(t.TempDir(), "none"), 0); got != nil {
		t.Fatalf("%q", got)
	}
}

func TestTheLastWordsAreTheErrors(t *testing.T) {
	const (
		waits   = `time=2026-11-22T02:48:51.679Z level=WARN msg="not ready" err="the process is starting or stopping"`
		fails   = `time=2026-11-22T02:48:51.680Z level=ERROR msg="the store is full" err="level=WARN"`
		failsJS = `{"time":"2026-11-22T02:48:51.680Z","level":"ERROR","msg":"the store is full"}`
		waitsJS = `{"time":"2026-11-22T02:48:51.680Z","level":"WARN","msg":"level=ERROR"}`
		nats    = `[23256] [INF] JetStream cluster new consumer leader`
		natsErr = `[23256] [ERR] error opening store`
		natsFtl = `[23256] 2026/11/22 02:48:51.679 [FTL] address already in use`
		ends    = `tutti: listen on "127.0.0.1:9080"`
		advice  = `The address is in use.`
		ready   = `ready`
	)
	stack := []string{"panic: assignment to entry in nil map", "", "goroutine 1 [running]:"}
	for range 20 {
		stack = append(stack, "main.main()")
	}
	for what, c := range map[string]struct{ before, said, want []string }{
		"it ended":              {nil, []string{waits, ready, waits, waits, ends, advice}, []string{ends, advice}},
		"it went on after that": {nil, []string{ends, advice, waits, ready}, []string{ends, advice}},
		"an error of its log":   {nil, []string{waits, fails, waits, ready, waits}, []string{fails}},
		"as JSON":               {nil, []string{waitsJS, failsJS, waitsJS}, []string{failsJS}},
		"of a NATS server":      {nil, []string{nats, natsErr, nats, natsFtl}, []string{natsErr, natsFtl}},
		"no error":              {nil, []string{waits, ready}, []string{waits, ready}},
		"an error of long ago":  {[]string{fails, ends}, []string{waits}, []string{waits}},
		"a panic":               {nil, append([]string{waits, fails}, stack...), stack[:lastLines]},
		"many errors":           {nil, append(slices.Repeat([]string{fails}, 20), ends, waits), append(slices.Repeat([]string{fails}, lastLines-1), ends)},
	} {
		join := func(lines []string) string {
			if len(lines) == 0 {
				return ""
			}
			return strings.Join(lines, "\n") + "\n"
		}
		path, from := logged(t, join(c.before), join(c.said))
		if got := lastWords(path, from); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}
