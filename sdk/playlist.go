package tutti

import (
	"context"
	"maps"

	"github.com/tuttihq/tutti/subjects"
)

// Playlist is one playlist, which need not exist. It holds nothing and costs nothing.
type Playlist struct {
	aggregate[subjects.Playlist, subjects.PlaylistYou, PlaylistView]
}

// PlaylistView is a playlist at a revision. It is shared by who asked for it: do not change
// it.
type PlaylistView struct {
	Version
	// Playlist is the document; Playlist.Ordered gives the tracks in their order.
	Playlist subjects.Playlist
	// You is what the playlist says about the client's user; it may be a moment behind Rev.
	// Nil for a guest, and in a snapshot of Updates that came before it was said.
	You *subjects.PlaylistYou
}

var playlistKind = &kind[subjects.Playlist, subjects.PlaylistYou, PlaylistView]{
	noun: "playlist", prefixes: []string{subjects.PrefixPlaylist}, channel: subjects.PlaylistChannel,
	fold: folding(subjects.DecodePlaylistEvent, (*subjects.Playlist).Apply),
	keep: func(p subjects.Playlist) subjects.Playlist {
		p.Tracks, p.Members = maps.Clone(p.Tracks), maps.Clone(p.Members)
		return p
	},
	view: func(v Version, p subjects.Playlist, you *subjects.PlaylistYou) *PlaylistView {
		return &PlaylistView{Version: v, Playlist: p, You: you}
	},
}

// Playlist gives the playlist of an id.
func (c *Client) Playlist(id string) *Playlist {
	return &Playlist{aggregate[subjects.Playlist, subjects.PlaylistYou, PlaylistView]{client: c, id: id, kind: playlistKind}}
}

// CreatePlaylist begins a playlist, with the client's user in it.
func (c *Client) CreatePlaylist(ctx context.Context, in subjects.CreatePlaylist) (*Playlist, subjects.Answer, error) {
	id, answer, err := c.create(ctx, subjects.ChannelPlaylists, subjects.PrefixPlaylist, in)
	if err != nil {
		return nil, answer, err
	}
	return c.Playlist(id), answer, nil
}

// Chat gives the playlist's chat.
func (p *Playlist) Chat() *Chat { return p.client.Chat(p.id) }

// Join enters the playlist; again is nothing.
func (p *Playlist) Join(ctx context.Context) error { return p.do(ctx, subjects.VerbJoin, nil) }

// Leave leaves it; again is nothing. The creator cannot.
func (p *Playlist) Leave(ctx context.Context) error { return p.do(ctx, subjects.VerbLeave, nil) }

// Add appends tracks, named by id or address; what is there already is passed over.
func (p *Playlist) Add(ctx context.Context, tracks ...string) error {
	return p.do(ctx, subjects.VerbAdd, subjects.AddTracks{Tracks: refs(tracks)})
}

// Remove takes tracks out, named by id; what is gone is gone.
func (p *Playlist) Remove(ctx context.Context, tracks ...string) error {
	return p.do(ctx, subjects.VerbRemove, subjects.RemoveTracks{Tracks: tracks})
}

// Move gives a track that was seen at index from another place: to is its index afterwards,
// both from 0. CodeConflict if it stands elsewhere by now, or is gone: somebody else was
// faster.
func (p *Playlist) Move(ctx context.Context, track string, from, to int) error {
	return p.do(ctx, subjects.VerbMove, subjects.MoveTrack{Track: track, From: from, To: to})
}

// Invite invites somebody.
func (p *Playlist) Invite(ctx context.Context, user string) error {
	return p.do(ctx, subjects.VerbInvite, subjects.InviteUser{User: user})
}

// Withdraw takes an invitation back.
func (p *Playlist) Withdraw(ctx context.Context, user string) error {
	return p.do(ctx, subjects.VerbWithdraw, subjects.WithdrawInvitation{User: user})
}

// Rename gives the playlist another name.
func (p *Playlist) Rename(ctx context.Context, name string) error {
	return p.do(ctx, subjects.VerbRename, subjects.RenamePlaylist{Name: name})
}

// SetVisibility says who sees the playlist; onlyInvitedEdit, of a public one alone, keeps
// editing to the creator and the invited.
func (p *Playlist) SetVisibility(ctx context.Context, v subjects.Visibility, onlyInvitedEdit bool) error {
	return p.do(ctx, subjects.VerbSetVisibility, subjects.SetVisibility{Visibility: v, OnlyInvitedEdit: onlyInvitedEdit})
}

// Delete deletes the playlist for good; again is nothing.
func (p *Playlist) Delete(ctx context.Context) error { return p.do(ctx, subjects.VerbDelete, nil) }

// Export has a room made of the playlist, which the client's user creates. The room is there
// a moment later: until then it is answered CodeNotFound. Should it be refused, a sealed
// event subjects.EventExportFailed says so in Updates.
func (p *Playlist) Export(ctx context.Context, in subjects.ExportPlaylist) (*Room, subjects.Answer, error) {
	answer, err := p.Do(ctx, subjects.VerbExport, in)
	if err != nil {
		return nil, answer, err
	}
	return p.client.Room(subjects.ExportedRoomID(p.id, p.client.Account().User(), answer.Command, answer.At)), answer, nil
}

func refs(tracks []string) []subjects.TrackRef {
	out := make([]subjects.TrackRef, len(tracks))
	for i, t := range tracks {
		out[i] = subjects.TrackRef(t)
	}
	return out
}
