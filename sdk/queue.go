package tutti

import (
	"context"
	"net/url"

	"github.com/tuttihq/tutti/subjects"
)

// Undo takes a change of the queue back: the one of this number, as You.Undo names it, or
// for 0 the last that the client's user may take back. Refusals: CodeConflict if the queue
// has moved on, CodeNotFound if there is none, CodeForbidden.
func (r *Room) Undo(ctx context.Context, change int64) error {
	return r.do(ctx, subjects.VerbUndo, subjects.Undo{Change: change})
}

// Shuffle orders by chance the tracks that nothing else orders: those of equal score.
func (r *Room) Shuffle(ctx context.Context) error { return r.do(ctx, subjects.VerbShuffle, nil) }

// SetQueue changes how the queue works; what is nil stays.
func (r *Room) SetQueue(ctx context.Context, in subjects.SetQueue) error {
	return r.do(ctx, subjects.VerbSetQueue, in)
}

// ExportHistory begins a playlist of the client's user with what the room has played. The
// playlist is there a moment later: until then it is answered CodeNotFound. Should it be
// refused, a sealed event subjects.EventHistoryFailed says so in Updates.
func (r *Room) ExportHistory(ctx context.Context, in subjects.ExportHistory) (*Playlist, subjects.Answer, error) {
	answer, err := r.Do(ctx, subjects.VerbExportHistory, in)
	if err != nil {
		return nil, answer, err
	}
	return r.client.Playlist(subjects.ExportedPlaylistID(r.id, r.client.Account().User(), answer.Command, answer.At)), answer, nil
}

// Plays gives a page of what the room has played, the newest first; its document holds the
// last few. limit is 1 to subjects.MaxPlaysPage, 0 for subjects.PlaysPage.
func (r *Room) Plays(ctx context.Context, cursor string, limit int) (subjects.PlaysAnswer, error) {
	var page subjects.PlaysAnswer
	err := r.client.get(ctx, "/v1/rooms/"+url.PathEscape(r.id)+"/plays", paged(nil, cursor, limit), &page)
	return page, err
}

// Heard gives a page of what a user has heard, the newest first, with a limit as Plays. A
// page may be short, or empty, and not be the last: that is the one without a Next. Refusal:
// CodeForbidden where the user keeps it to themselves.
func (c *Client) Heard(ctx context.Context, user, cursor string, limit int) (subjects.HeardAnswer, error) {
	var page subjects.HeardAnswer
	err := c.get(ctx, userPath(user)+"/heard", paged(nil, cursor, limit), &page)
	return page, err
}
