package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services"
)

func TestHealthIsAskedWhereTheSettingsSay(t *testing.T) {
	for _, c := range []struct{ metrics, edge, cert, want string }{
		{"127.0.0.1:9464", "127.0.0.1:8080", "", "http://127.0.0.1:9464/readyz"},
		{"", "127.0.0.1:8080", "", "http://127.0.0.1:8080/readyz"},
		{"0.0.0.0:9464", "", "", "http://127.0.0.1:9464/readyz"},
		{":9464", "", "", "http://127.0.0.1:9464/readyz"},
		{"[::]:9464", "", "", "http://127.0.0.1:9464/readyz"},
		{"[::1]:9464", "", "", "http://[::1]:9464/readyz"},
		{"", "127.0.0.1:8443", "cert.pem", ""},
		{"127.0.0.1:9464", "127.0.0.1:8443", "cert.pem", "http://127.0.0.1:9464/readyz"},
		{"127.0.0.1:0", "", "", ""},
		{"9464", "", "", ""},
	} {
		cfg := services.Defaults()
		cfg.Metrics.Listen, cfg.Edge.Listen, cfg.Edge.CertFile = c.metrics, c.edge, c.cert
		if got, err := healthURL(cfg); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("metrics %q, edge %q, certificate %q: %q, %v; want %q", c.metrics, c.edge, c.cert, got, err, c.want)
		}
	}
}

// The exit status is what a container engine looks at.
func TestHealthFailsUnlessTheAnswerIsGood(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"status":"` + r.URL.Path + `"}` + "\n"))
	}))
	ask := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := newRoot()
		root.SetArgs(append([]string{"health"}, args...))
		root.SetOut(&out)
		root.SetErr(&out)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	if out, err := ask("--url", s.URL+"/healthz"); err != nil || out != "{\"status\":\"/healthz\"}\n" {
		t.Errorf("%q, %v", out, err)
	}
	t.Setenv("TUTTI_METRICS__LISTEN", strings.TrimPrefix(s.URL, "http://"))
	if out, err := ask(); err != nil || out != "{\"status\":\"/readyz\"}\n" {
		t.Errorf("by the settings: %q, %v", out, err)
	}
	status = http.StatusServiceUnavailable
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "/readyz") {
		t.Errorf("not ready: %v", err)
	}
	s.Close()
	if _, err := ask(); err == nil {
		t.Error("nobody answers, and that is well")
	}
	if _, err := ask("--url", "http://192.0.2.1/", "--within", "1ms"); err == nil {
		t.Error("an answer that takes too long is well")
	}
}
