package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// With log.format json every line is JSON and says where to go; a person is told on standard
// output as well.
func TestWhereItListensIsToldInTheFormatThatWasAskedFor(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			lines, log := io.Pipe()
			var out bytes.Buffer
			root := newRoot()
			root.SetArgs([]string{"up", "--data", "", "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--log-format", format})
			root.SetOut(&out)
			root.SetErr(log)
			ended := make(chan error, 1)
			go func() {
				err := root.ExecuteContext(ctx)
				_ = log.Close()
				ended <- err
			}()
			var said []string
			for in := bufio.NewScanner(lines); in.Scan(); {
				said = append(said, in.Text())
				if strings.Contains(in.Text(), "started") {
					cancel()
				}
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			http.DefaultClient.CloseIdleConnections()
			if last := said[len(said)-1]; !strings.Contains(last, "stopped") {
				t.Errorf("its last words are %s", last)
			}
			if format == "text" {
				if !strings.Contains(out.String(), "http://127.0.0.1:") || !strings.HasSuffix(out.String(), "ready\n") {
					t.Errorf("a person reads %q", out.String())
				}
				return
			}
			if out.Len() > 0 {
				t.Errorf("beside the log there is %q", out.String())
			}
			found := false
			for _, line := range said {
				var l struct{ Msg, HTTP string }
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Errorf("%s: %v", line, err)
				}
				found = found || l.Msg == "started" && strings.HasPrefix(l.HTTP, "http://127.0.0.1:")
			}
			if !found {
				t.Errorf("the address is not told: %v", said)
			}
		})
	}
}
