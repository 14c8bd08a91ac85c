package edge

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// socket upgrades a request to a websocket. A browser says which page it acts for, and
// only pages of this origin and of the allowed ones may; a client that is no browser says
// nothing and is let in.
func (s *Server) socket(r *request) error {
	if !websocket.IsWebSocketUpgrade(r.Ctx) {
		r.Set(fiber.HeaderUpgrade, "websocket")
		return withStatus(http.StatusUpgradeRequired, subjects.Refuse(subjects.CodeInvalid, "this path speaks websocket"))
	}
	if from := r.Get(fiber.HeaderOrigin); from != "" && !s.ownPage(from, string(r.Context().Host())) {
		return subjects.Refuse(subjects.CodeForbidden, "pages of this origin may not connect; the operator names those that may in edge.allowed_origins")
	}
	if s.draining.Load() {
		return subjects.Refuse(subjects.CodeUnavailable, "this edge is going down; connect again, another may answer")
	}
	if s.sockets.cutOff() {
		return subjects.Refuse(subjects.CodeUnavailable, "this edge is cut off; connect again, another may answer")
	}
	if s.sockets.full() {
		return subjects.Refuse(subjects.CodeBusy, "this edge has as many sockets as it takes; connect again, another may have room")
	}
	from, id := r.from, r.id
	up := websocket.New(func(c *websocket.Conn) { s.sockets.serve(c, from, id) }, websocket.Config{
		HandshakeTimeout: 5 * time.Second,
		ReadBufferSize:   1024,
		WriteBufferSize:  256, // for what the library writes by itself; see outbox
		RecoverHandler:   func(*websocket.Conn) {},
	})
	if err := up(r.Ctx); err != nil {
		return withStatus(http.StatusUpgradeRequired, subjects.Refuse(subjects.CodeInvalid, "not a websocket handshake of version 13"))
	}
	return nil
}

// ownPage reports whether pages of an origin may open sockets.
func (s *Server) ownPage(origin, host string) bool {
	origin = strings.ToLower(origin)
	if slices.Contains(s.cfg.AllowedOrigins, "*") || slices.Contains(s.cfg.AllowedOrigins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}
