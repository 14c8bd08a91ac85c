package edge

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// Paths that more than the table below speaks of.
const (
	pathHealth = "/healthz"
	pathReady  = "/readyz"
	pathRooms  = "/v1/rooms"
	pathMedia  = "/media/demo/"

	pathPlaylists = "/v1/playlists"
	pathChats     = "/v1/chats"
)

// route is one line of the API.
type route struct {
	method, path string
	access       access
	class        class
	do           func(*request) error
}

// routes is the whole API; docs/guide/http-api.md describes every line of it. GET stands
// for HEAD as well.
func (s *Server) routes() []route {
	const get, post, patch = http.MethodGet, http.MethodPost, http.MethodPatch
	const put, del = http.MethodPut, http.MethodDelete
	return []route{
		{get, pathHealth, anyone, classNone, s.health},
		{get, pathReady, anyone, classNone, s.ready},
		{get, "/v1/time", anyone, classAnonymous, s.time},
		{get, "/.well-known/jwks.json", anyone, classAnonymous, s.keys},

		{post, "/v1/auth/register", anyone, classAccounts, s.register},
		{post, "/v1/auth/login", anyone, classAccounts, s.login},
		{post, "/v1/auth/refresh", anyone, classAccounts, s.refresh},
		{post, "/v1/auth/logout", anyone, classAccounts, s.logout},
		{post, "/v1/auth/logout-all", user, classCommands, s.logoutAll},

		{get, "/v1/me", user, classReads, s.me},
		{patch, "/v1/me/profile", user, classCommands, s.updateProfile},
		{put, "/v1/me/nickname", user, classCommands, s.changeNickname},
		{get, "/v1/people", viewer, classReads, s.people},
		{get, "/v1/users", viewer, classReads, s.usersByID},
		{get, "/v1/users/:id", viewer, classReads, s.user},
		{get, "/v1/users/:id/followers", viewer, classReads, s.showFollowers},
		{get, "/v1/users/:id/following", viewer, classReads, s.showFollowing},
		{get, "/v1/users/:id/heard", viewer, classReads, s.showHeard},
		{put, "/v1/users/:id/follow", user, classCommands, s.follow},
		{del, "/v1/users/:id/follow", user, classCommands, s.unfollow},

		{post, pathRooms, user, classCommands, s.createRoom},
		{get, pathRooms, viewer, classReads, s.searchRooms},
		{get, pathRooms + "/:id", viewer, classReads, s.room},
		{get, pathRooms + "/:id/members", viewer, classReads, s.members},
		{get, pathRooms + "/:id/queue", viewer, classReads, s.queue},
		{get, pathRooms + "/:id/plays", viewer, classReads, s.showPlays},
		{post, pathRooms + "/:id/commands", user, classCommands, s.command(s.kinds.room)},

		{post, pathPlaylists, user, classCommands, s.createPlaylist},
		{get, pathPlaylists, viewer, classReads, s.playlists},
		{get, pathPlaylists + "/:id", viewer, classReads, document(s.kinds.playlist)},
		{post, pathPlaylists + "/:id/commands", user, classCommands, s.command(s.kinds.playlist)},

		{get, pathChats + "/:id", viewer, classReads, document(s.kinds.chat)},
		{get, pathChats + "/:id/messages", viewer, classReads, s.history},
		{post, pathChats + "/:id/commands", user, classCommands, s.command(s.kinds.chat)},

		{get, subjects.SocketPath, anyone, classAnonymous, s.socket},

		{get, "/v1/tracks", anyone, classAnonymous, s.tracks},
		{get, pathMedia + ":file", anyone, classAnonymous, s.demoFile},
	}
}

func (s *Server) mount(app *fiber.App) {
	for _, rt := range s.routes() {
		handler := s.serve(rt)
		if rt.method == http.MethodGet {
			app.Get(rt.path, handler) // and HEAD
		} else {
			app.Add(rt.method, rt.path, handler)
		}
	}
}

// serve gives a route its time limit and lets in who may.
func (s *Server) serve(rt route) fiber.Handler {
	limit := s.cfg.QueryTimeout
	if rt.class == classCommands {
		limit = s.cfg.CommandTimeout
	}
	return func(c *fiber.Ctx) error {
		r, ok := c.Locals(localRequest).(*request)
		if !ok { // around is mounted before every route
			return fiber.ErrInternalServerError
		}
		r.route = rt.path
		ctx, cancel := context.WithTimeout(s.watchRequest(r), limit)
		defer cancel()
		r.ctx = ctx
		if err := r.admit(rt.access, rt.class); err != nil {
			return err
		}
		return rt.do(r)
	}
}

// at gives a time as the API does: in Unix milliseconds.
func at(t time.Time) int64 { return t.UnixMilli() }
