package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// Deps is what an edge needs from the rest of the process. All but Tracks, Media, Web,
// Metrics and Tracer are required.
type Deps struct {
	Rooms Rooms
	// Live and Lists feed the sockets.
	Live     Live
	Lists    Lists
	Commands Commander
	Queries  Querier
	Tokens   Verifier
	Clock    Clock
	// Tracks offers tracks to browse; nil answers every search with none.
	Tracks Tracks
	// Media holds the demo files; nil answers every path below /media/demo with 404.
	Media Media
	// Web holds the browser app, index.html and what it needs; nil answers / with 404.
	Web fs.FS
	// Ready returns nil if requests can be served now: what lies behind the edge answers.
	Ready func(ctx context.Context) error
	// Log gets a line for each request, and what went wrong.
	Log *slog.Logger
	// Metrics is where the edge's metrics can be read; nil: nowhere.
	Metrics *telemetry.Registry
	// Tracer follows requests; nil follows none.
	Tracer *telemetry.Tracer
}

// RoomView is a room as its log's head has it.
type RoomView struct {
	// Epoch and Rev name the last commit; Rev is 0 for a room without a log.
	Epoch, Rev uint64
	// At is that commit's time in Unix milliseconds.
	At int64
	// State is the fold of the log; nil counts as a room that does not exist.
	State *subjects.RoomState
	// Unknown is set if the log holds an event of a newer release: State lacks what it
	// did, so nothing of the room is shown.
	Unknown error
}

// Rooms gives rooms as the log has them.
type Rooms interface {
	// View calls f with the room of that id, folded up to what was the head of its log
	// when View was called, or later. Until f returns nobody changes the view's state; f
	// must not keep or change it. A room without a log is given as one that does not
	// exist. View returns f's error, or an error of its own: one that wraps
	// aggregate.ErrUnavailable or bus.ErrUnavailable if the log cannot be read now.
	View(ctx context.Context, id string, f func(RoomView) error) error
}

// RoomsFunc makes Rooms of a function whose views are never changed after it returned
// them.
type RoomsFunc func(ctx context.Context, id string) (RoomView, error)

// View implements Rooms.
func (get RoomsFunc) View(ctx context.Context, id string, f func(RoomView) error) error {
	v, err := get(ctx, id)
	if err != nil {
		return err
	}
	return f(v)
}

// Live follows rooms as their logs go on.
type Live interface {
	// Follow begins to tell the sink of a room, until the following is stopped. It does not
	// block.
	Follow(id string, sink RoomSink) Following
}

// RoomSink is told how a room goes on: in the order of its log, each commit once, none
// left out. Who tells it holds the lock while the state changes and while a method is
// called; between the calls the last view may be read under the lock. The methods do not
// block.
type RoomSink interface {
	sync.Locker
	// Reset gives the room anew: at first, and when what was given before does not go on.
	Reset(RoomView)
	// Commit gives the room as it is after the next commit. data are the commit's bytes,
	// which nobody changes any more.
	Commit(v RoomView, data []byte, c *subjects.Commit)
	// Lost says that the log cannot be followed now; the next Reset or Commit says that it
	// can again.
	Lost(error)
}

// Following is a room that is followed.
type Following interface {
	// Sync returns when the sink was told all that was in the log at the time of the call,
	// or an error that wraps aggregate.ErrUnavailable or ctx's.
	Sync(ctx context.Context) error
	// Stop ends it; no method of the sink runs, or will, when it has returned.
	Stop()
}

// Lists gives the documents that live queries are made of.
type Lists interface {
	// Watch calls changed with every document of a public table, first with those there
	// are, then ready, then changed with each that comes, changes or goes (body nil), until
	// ctx ends. It calls from one goroutine. When the watch was broken it begins again:
	// again is called before the documents come anew, and who kept some keeps those that
	// come again.
	Watch(ctx context.Context, table string, changed func(id string, body json.RawMessage), ready, again func()) error
	// Own gives a user's documents of a table that has an own list for each user, by the
	// rest of their id.
	Own(ctx context.Context, table, user string) (map[string]json.RawMessage, error)
	// OnOwn calls f when Own may give another answer, until stop is called. f must not
	// block.
	OnOwn(table, user string, f func()) (stop func(), err error)
}

// Commander sends commands; *bus.Bus is one.
type Commander interface {
	// Ask sends a command to its aggregate's owner and waits for the answer, as long as
	// ctx allows. A refusal comes in the answer; a *subjects.Refusal as error says that
	// nothing was sent. With any other error whether the command takes effect is not known,
	// and it may be asked again under the same id; it wraps bus.ErrUnavailable unless it is
	// a defect.
	Ask(ctx context.Context, to subjects.Command, env subjects.Envelope) (subjects.Answer, error)
}

// Querier asks services; *bus.Bus is one.
type Querier interface {
	// Query asks an endpoint and decodes the answer into resp, unless that is nil. A
	// refusal is returned as *subjects.Refusal.
	Query(ctx context.Context, service, endpoint string, req, resp any) error
}

// Verifier knows access tokens; *token.Verifier is one.
type Verifier interface {
	// Verify gives who a token speaks for. Errors carry a *subjects.Refusal of
	// CodeUnauthenticated or CodeUnavailable.
	Verify(ctx context.Context, raw string) (token.Principal, error)
}

// Clock is the log's time; *bus.Clock is one.
type Clock interface {
	Now() time.Time
}

// Tracks offers tracks to browse; *catalog.Catalog is one.
type Tracks interface {
	// List returns at most limit tracks whose title, artist or id contains query, in a
	// stable order.
	List(ctx context.Context, query string, limit int) ([]subjects.Track, error)
}

// Media holds the demo tracks' files; *demo.Library is one. The bytes under a name never
// change while the process runs. Errors wrap fs.ErrNotExist for an unknown name.
type Media interface {
	// Open gives a piece's sound (audio/wav), its modification time and its size in bytes.
	Open(name string) (io.ReadSeeker, time.Time, int64, error)
	// Artwork gives its picture (image/svg+xml).
	Artwork(name string) (io.ReadSeeker, time.Time, int64, error)
}

func (d *Deps) validate() error {
	var errs []error
	for _, p := range [...]struct {
		missing bool
		name    string
	}{
		{d.Rooms == nil, "Rooms"}, {d.Live == nil, "Live"}, {d.Lists == nil, "Lists"}, {d.Commands == nil, "Commands"}, {d.Queries == nil, "Queries"},
		{d.Tokens == nil, "Tokens"}, {d.Clock == nil, "Clock"}, {d.Ready == nil, "Ready"}, {d.Log == nil, "Log"},
	} {
		if p.missing {
			errs = append(errs, errors.New("edge: Deps."+p.name+" is missing"))
		}
	}
	return errors.Join(errs...)
}
