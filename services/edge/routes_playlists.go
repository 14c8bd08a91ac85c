package edge

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// Sizes of pages.
const playlistsPage, playlistsPageMost = 20, 100

// newPlaylist is the body of POST /v1/playlists.
type newPlaylist struct {
	// ID is the command's id, not the playlist's.
	ID string `json:"id"`
	subjects.CreatePlaylist
}

func (s *Server) createPlaylist(r *request) error {
	var in newPlaylist
	if err := r.body(&in); err != nil {
		return err
	}
	if err := r.setCommand(in.ID); err != nil {
		return err
	}
	id, a, err := s.beginPlaylist(r.ctx, r.who.UserID, r.command, in.CreatePlaylist)
	if err != nil {
		return err
	}
	r.Set(fiber.HeaderLocation, pathPlaylists+"/"+id)
	return r.json(http.StatusCreated, created{ID: id, Epoch: a.Epoch, Rev: a.Rev, At: a.At, Command: r.command})
}

// beginPlaylist begins a playlist, whose id follows from who asks and from the command's
// id; see openRoom.
func (s *Server) beginPlaylist(ctx context.Context, who, command string, in subjects.CreatePlaylist) (id string, a subjects.Answer, err error) {
	if err := in.Check(); err != nil {
		return "", a, err
	}
	return s.begin(ctx, s.kinds.playlist, subjects.PrefixPlaylist, who, command, &in)
}

func (s *Server) playlists(r *request) error {
	limit, err := r.limitParam(playlistsPage, playlistsPageMost)
	if err != nil {
		return err
	}
	out, err := s.findPlaylists(r.ctx, subjects.PlaylistQuery{
		Viewer: r.who.UserID, Of: r.Query("of"), User: r.Query("user"), Prefix: r.Query("prefix"), Cursor: r.Query("cursor"), Limit: limit,
	})
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, out)
}

// findPlaylists lists playlists in the order of their names, as far as the viewer may find
// them.
func (s *Server) findPlaylists(ctx context.Context, in subjects.PlaylistQuery) (subjects.PlaylistPage, error) {
	out := subjects.PlaylistPage{Playlists: []subjects.PlaylistSummary{}}
	if err := checkText("prefix", in.Prefix, subjects.MaxPlaylistName); err != nil {
		return out, err
	}
	if err := checkText("cursor", in.Cursor, maxCursor); err != nil {
		return out, err
	}
	if in.User != "" && subjects.CheckID(subjects.PrefixUser, in.User) != nil {
		return out, subjects.RefuseField("user", "not a user id")
	}
	if in.Of == subjects.ListMine && in.Viewer == "" {
		return out, subjects.Refuse(subjects.CodeUnauthenticated, "a guest has no playlists: send an access token")
	}
	err := s.deps.Queries.Query(ctx, subjects.ServicePlaylist, subjects.QueryPlaylistList, in, &out)
	return out, err
}
