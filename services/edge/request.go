package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// request is one request while it is answered. Like the Fiber context in it, it must not
// outlive its handler.
type request struct {
	*fiber.Ctx
	srv *Server
	// ctx ends when the time to find an answer is up, or the server stops for good.
	ctx context.Context
	id  string
	// from is the client's address, secure whether it speaks TLS (to us or to a trusted
	// proxy).
	from   netip.Addr
	secure bool
	// who is the zero Principal unless a token was verified; token is that token.
	who   token.Principal
	token string
	// route is the pattern of the path, empty for one that is not there.
	route string
	// span stands for the request in a trace; the zero Span if it is not followed.
	span telemetry.Span
	// command is the id of the command that the request is about, once it is known.
	command string
}

// prefixRequest is the prefix of the request ids that an edge makes.
const prefixRequest = "req"

const localRequest = "request"

// around runs every request: it sets what every answer has, turns errors and panics into
// problem documents, and writes the log line.
func (s *Server) around(c *fiber.Ctx) error {
	begin := time.Now()
	r := &request{Ctx: c, srv: s, id: requestID(c.Get(fiber.HeaderXRequestID), begin)}
	r.from, r.secure = origin(c.Context(), s.trusted)
	c.Locals(localRequest, r)
	c.Set(fiber.HeaderXRequestID, r.id)
	guard(c, r.secure)
	if !s.crossOrigin(c) {
		if err := s.recovered(r, c.Next); err != nil {
			if to := s.page(r, err); to != "" {
				c.Set(fiber.HeaderLocation, to)
				c.Status(http.StatusFound)
			} else {
				s.fail(r, err)
			}
		}
	}
	took := time.Since(begin)
	s.watched(r, took)
	s.logged(r, took)
	return nil
}

// recovered calls f and turns a panic in it into an error.
func (s *Server) recovered(r *request, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.deps.Log.ErrorContext(r.span.In(s.base), "panic while answering", telemetry.KeyRequest, r.id, "panic", p, "stack", string(debug.Stack()))
			err = &refused{Refusal: subjects.Refuse(subjects.CodeInternal, "something went wrong here; the request id finds it in the server's log")}
		}
	}()
	return f()
}

// fail makes err the answer.
func (s *Server) fail(r *request, err error) {
	refusal, internal := refusalOf(err)
	if internal {
		s.deps.Log.ErrorContext(r.span.In(s.base), "request failed", telemetry.KeyRequest, r.id, telemetry.KeyCommand, r.command,
			"method", r.Method(), "path", instance(r.Context()), "err", err)
	}
	writeProblem(r.Context(), refusal, r.id, r.command)
}

// logged writes the access log. It holds neither query, nor headers, nor bodies: search
// texts, tokens and passwords stay out of it.
func (s *Server) logged(r *request, took time.Duration) {
	status := r.Response().StatusCode()
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case !s.cfg.AccessLog:
		return
	case r.Path() == pathHealth || r.Path() == pathReady, r.route == pathWeb && status < http.StatusBadRequest:
		// Probes, and the page, which is fifty files each time that it is opened.
		level = slog.LevelDebug
	}
	log := s.deps.Log
	if r.command != "" {
		log = log.With(telemetry.KeyCommand, r.command)
	}
	log.LogAttrs(r.span.In(s.base), level, "request",
		slog.String(telemetry.KeyRequest, r.id), slog.String("method", r.Method()), slog.String("path", instance(r.Context())),
		slog.Int("status", status), slog.Duration("took", took), slog.Int("in", len(r.Context().Request.Body())),
		slog.String("from", r.from.String()), slog.String("user", r.who.UserID))
}

// requestID takes the id that a proxy or client gave, if it is of a harmless form, and
// makes one otherwise.
func requestID(given string, now time.Time) string {
	if given == "" || len(given) > subjects.MaxIDBytes {
		return subjects.NewID(prefixRequest, now)
	}
	for _, b := range []byte(given) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '_', b == '-', b == '.':
		default:
			return subjects.NewID(prefixRequest, now)
		}
	}
	return given
}

// unreadable answers what is no HTTP request, or not a whole one; the connection is
// closed afterwards.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	lingerOn(ctx.Conn())
	ctx.Response.Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	id := subjects.NewID(prefixRequest, time.Now())
	ctx.Response.Header.Set(fiber.HeaderXRequestID, id)
	refusal := connectionRefusal(err)
	writeProblem(ctx, refusal, id, "")
	s.deps.Log.Debug("unreadable request", "request", id, "from", remote(ctx.RemoteAddr()).String(), "err", err)
}

// now is the log's time.
func (r *request) now() time.Time { return r.srv.deps.Clock.Now() }

// query asks a service.
func (r *request) query(service, endpoint string, req, resp any) error {
	return r.srv.deps.Queries.Query(r.ctx, service, endpoint, req, resp)
}

// json answers with a JSON document.
func (r *request) json(status int, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("edge: encode answer: %w", err)
	}
	r.Status(status)
	r.Context().SetContentType(fiber.MIMEApplicationJSON)
	r.Context().SetBody(bytes.TrimRight(buf.Bytes(), "\n"))
	return nil
}

// none answers with nothing but the status.
func (r *request) none() error {
	r.Status(http.StatusNoContent)
	return nil
}
