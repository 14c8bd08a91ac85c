package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestTheListenerSaysHowTheProcessIs(t *testing.T) {
	var mu sync.Mutex
	why := errors.New("the password is topsecret")
	ready := func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		return why
	}
	r := NewRegistry()
	r.Counter("tutti_x_total", "X.").Inc()
	s, err := Serve(t.Context(), "127.0.0.1:0", r, ready, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if code, body := get(t, s.URL()+"/metrics"); code != 200 || !strings.Contains(body, "tutti_x_total 1\n") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(t, s.URL()+"/healthz"); code != 200 {
		t.Errorf("healthz: %d", code)
	}
	if code, body := get(t, s.URL()+"/readyz"); code != 503 || strings.Contains(body, "topsecret") {
		t.Errorf("readyz: %d %s", code, body)
	}
	mu.Lock()
	why = nil
	mu.Unlock()
	if code, body := get(t, s.URL()+"/readyz"); code != 200 || body != `{"status":"ready"}` {
		t.Errorf("readyz: %d %s", code, body)
	}
	if code, _ := get(t, s.URL()+"/other"); code != 404 {
		t.Errorf("other: %d", code)
	}
	if _, err := Serve(t.Context(), s.addr.String(), r, ready, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an address in use is taken")
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTooManyScrapesAtOnceAreSentAway(t *testing.T) {
	hold, inside := make(chan struct{}), make(chan struct{}, scrapes)
	h := few(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-hold
	}))
	var wg sync.WaitGroup
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		return w.Code
	}
	for range scrapes {
		wg.Go(func() {
			if code := ask(); code != 200 {
				t.Errorf("%d", code)
			}
		})
	}
	for range scrapes {
		<-inside
	}
	if code := ask(); code != 503 {
		t.Errorf("one too many gets %d", code)
	}
	close(hold)
	wg.Wait()
}
