package tutti

import (
	"context"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Join enters the room; again is nothing.
func (r *Room) Join(ctx context.Context) error { return r.do(ctx, subjects.VerbJoin, nil) }

// Leave leaves it; again is nothing. The creator's leaving closes the room.
func (r *Room) Leave(ctx context.Context) error { return r.do(ctx, subjects.VerbLeave, nil) }

// Suggest queues tracks, named by id or address, and votes for them.
func (r *Room) Suggest(ctx context.Context, tracks ...string) error {
	return r.do(ctx, subjects.VerbSuggest, subjects.SuggestTracks{Tracks: refs(tracks)})
}

// Vote votes for a queued track.
func (r *Room) Vote(ctx context.Context, track string) error {
	return r.do(ctx, subjects.VerbVote, subjects.VoteTrack{Track: track})
}

// Skip votes to skip what plays.
func (r *Room) Skip(ctx context.Context) error { return r.do(ctx, subjects.VerbSkip, nil) }

// Play starts or resumes the current track.
func (r *Room) Play(ctx context.Context) error { return r.do(ctx, subjects.VerbPlay, nil) }

// Pause stops it where it is.
func (r *Room) Pause(ctx context.Context) error { return r.do(ctx, subjects.VerbPause, nil) }

// Seek goes to another position in it.
func (r *Room) Seek(ctx context.Context, position time.Duration) error {
	return r.do(ctx, subjects.VerbSeek, subjects.Seek{PositionMs: position.Milliseconds()})
}

// Next plays the next eligible track.
func (r *Room) Next(ctx context.Context) error { return r.do(ctx, subjects.VerbNext, nil) }

// Remove takes a track out of the queue.
func (r *Room) Remove(ctx context.Context, track string) error {
	return r.do(ctx, subjects.VerbRemove, subjects.RemoveTrack{Track: track})
}

// Invite invites somebody.
func (r *Room) Invite(ctx context.Context, user string) error {
	return r.do(ctx, subjects.VerbInvite, subjects.InviteUser{User: user})
}

// Kick takes a member out, who may come back.
func (r *Room) Kick(ctx context.Context, user string) error {
	return r.do(ctx, subjects.VerbKick, subjects.KickUser{User: user})
}

// Ban takes somebody out and keeps them out.
func (r *Room) Ban(ctx context.Context, user string) error {
	return r.do(ctx, subjects.VerbBan, subjects.BanUser{User: user})
}

// GrantControl lets a member play, pause, seek and go to the next track.
func (r *Room) GrantControl(ctx context.Context, user string) error {
	return r.do(ctx, subjects.VerbGrantControl, subjects.GrantControl{User: user})
}

// Close closes the room for good.
func (r *Room) Close(ctx context.Context) error { return r.do(ctx, subjects.VerbClose, nil) }
