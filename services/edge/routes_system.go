package edge

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// health says that the process answers: whether to restart it.
func (s *Server) health(r *request) error {
	return r.json(http.StatusOK, map[string]string{"status": "ok"})
}

// ready says whether to send requests here: what lies behind the edge answers, and it is
// not being shut down.
func (s *Server) ready(r *request) error {
	if s.draining.Load() {
		return subjects.Refuse(subjects.CodeUnavailable, "this process is shutting down")
	}
	err := s.deps.Ready(r.ctx)
	s.readiness.Probed(r.ctx, err)
	if err != nil {
		return subjects.Refuse(subjects.CodeUnavailable, "what lies behind this process does not answer")
	}
	return r.json(http.StatusOK, map[string]string{"status": "ready"})
}

// time tells the log's clock, from which a client computes its offset.
func (s *Server) time(r *request) error {
	return r.json(http.StatusOK, struct {
		ServerTime int64 `json:"serverTime"`
	}{at(r.now())})
}

// keys is the key set with which anyone verifies access tokens.
func (s *Server) keys(r *request) error {
	var set subjects.KeySet
	if err := r.query(subjects.ServiceAuth, subjects.AuthKeys, struct{}{}, &set); err != nil {
		return err
	}
	r.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return r.json(http.StatusOK, set)
}
