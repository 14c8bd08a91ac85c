package edge

import "github.com/tuttihq/tutti/subjects"

func playlistKind(d Deps) *kind[*subjects.PlaylistState] {
	return &kind[*subjects.PlaylistState]{
		service: subjects.ServicePlaylist, noun: "playlist", prefixes: []string{subjects.PrefixPlaylist}, channel: subjects.PlaylistChannel,
		views: d.Playlists, live: d.LivePlaylists,
		sees: func(s *subjects.PlaylistState, user string) bool { return s != nil && s.CanSee(user) },
		open: func(s *subjects.PlaylistState) bool {
			return s != nil && s.Exists() && s.Playlist.Visibility == subjects.VisibilityPublic
		},
		host: func(s *subjects.PlaylistState) string {
			if s != nil && s.FollowersMaySee() {
				return s.Playlist.Creator
			}
			return ""
		},
		document: func(s *subjects.PlaylistState) any { return &s.Playlist },
		you: func(s *subjects.PlaylistState, user string, _ int64, follower bool) any {
			you := s.You(user)
			if follower {
				you = s.FollowerYou(user)
			}
			return &you
		},
		concerned: func(_ *subjects.PlaylistState, c *subjects.Commit) (map[string]struct{}, bool) {
			return touched(c, concernsPlaylist)
		},
		exports: subjects.VerbExport, exported: subjects.ExportedRoomID,
		asked: without(subjects.PlaylistVerbs(), subjects.VerbCreate, subjects.VerbWake, subjects.VerbRefused),
		begun: "a playlist is begun by POST " + pathPlaylists + ", or by create on the channel " + string(subjects.ChannelPlaylists),
		decode: func(verb string, body []byte) error {
			_, err := subjects.DecodePlaylistCommand(verb, body)
			return err
		},
	}
}

// concernsPlaylist reports whether an event may change what a playlist says about
// everybody.
func concernsPlaylist(e *subjects.Event) bool {
	switch e.Type {
	case subjects.EventPlaylistCreated, subjects.EventPlaylistDeleted, subjects.EventVisibilityChanged:
		return true
	}
	return false
}
