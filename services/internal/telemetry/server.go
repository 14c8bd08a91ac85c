package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// scrapes bounds the requests that are answered at once; a further one gets 503.
	scrapes = 8
	// scrapeWait bounds reading a request, and answering it.
	scrapeWait  = 10 * time.Second
	scrapeIdle  = 2 * time.Minute
	scrapeBytes = 16 << 10 // of headers
)

// Server tells an operator how the process is: metrics, whether it lives, whether it is
// ready. It asks nobody who they are, so it listens where only the operator can reach it.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{}
	err  error // read after done
}

// Serve listens on address "HOST:PORT" (port 0 takes any) until Shutdown, and answers
//
//	GET /metrics  in Prometheus' text format, or OpenMetrics for who asks for that
//	GET /healthz  200 while the process answers at all
//	GET /readyz   200 if ready returns nil, else 503
func Serve(ctx context.Context, address string, r *Registry, ready func(context.Context) error, log *slog.Logger) (*Server, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("telemetry: listen on %q (metrics.listen): %w", address, err)
	}
	mux, readiness := http.NewServeMux(), NewReadiness(log)
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{
		ErrorLog: printer{log}, ErrorHandling: promhttp.ContinueOnError, Timeout: scrapeWait - time.Second, EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		status(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), scrapeWait/2)
		defer cancel()
		err := ready(ctx)
		if r.Context().Err() == nil { // else who asked has gone, and that may be the reason
			readiness.Probed(ctx, err)
		}
		if err != nil {
			status(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		status(w, http.StatusOK, "ready")
	})
	s := &Server{
		http: &http.Server{
			Handler: few(mux), ReadHeaderTimeout: scrapeWait, ReadTimeout: scrapeWait, WriteTimeout: scrapeWait,
			IdleTimeout: scrapeIdle, MaxHeaderBytes: scrapeBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		addr: l.Addr(), done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
			log.Error("metrics are not served any more", "err", err)
		}
	}()
	return s, nil
}

// URL is where the server is reached, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.addr.String() }

// Shutdown finishes the requests under way until ctx ends, and stops.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("telemetry: shutdown: %w", err), s.http.Close())
	}
	<-s.done
	return errors.Join(err, s.err)
}

// few answers so many requests at once.
func few(next http.Handler) http.Handler {
	slots := make(chan struct{}, scrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			status(w, http.StatusServiceUnavailable, "too many at once")
		}
	})
}

func status(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, `{"status":"`+text+`"}`) // who asked may be gone
}

// printer logs what a collector could not tell.
type printer struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (p printer) Println(v ...any) {
	p.log.Warn("metrics incomplete", "err", fmt.Sprint(v...))
}
