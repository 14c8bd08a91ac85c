package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/tuttihq/tutti/services/internal/telemetry"
	"github.com/tuttihq/tutti/services/internal/token"
	"github.com/tuttihq/tutti/subjects"
)

// Deps is what an edge needs from the rest of the process. All but Tracks, Media, Web,
// CutOff, Metrics and Tracer are required.
type Deps struct {
	Rooms     Views[*subjects.RoomState]
	Playlists Views[*subjects.PlaylistState]
	Chats     Views[*subjects.ChatState]
	// Live… and Lists feed the sockets.
	Live          Live[*subjects.RoomState]
	LivePlaylists Live[*subjects.PlaylistState]
	LiveChats     Live[*subjects.ChatState]
	Lists         Lists
	// Signals carries what is not logged.
	Signals  Signals
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
	// CutOff tells for how long what lies behind the edge has been out of reach, 0 if it is
	// not; nil: never. After a moment of it sockets are closed, so that their clients go to
	// an edge that is better off.
	CutOff func() time.Duration
	// Log gets a line for each request, and what went wrong.
	Log *slog.Logger
	// Metrics is where the edge's metrics can be read; nil: nowhere.
	Metrics *telemetry.Registry
	// Tracer follows requests; nil follows none.
	Tracer *telemetry.Tracer
}

// Lists gives the documents that live queries are made of.
type Lists interface {
	// Watch calls changed with every document of a public table, first with those there
	// are, then ready, then changed with each that comes, changes or goes (body nil), until
	// ctx ends. It calls from one goroutine. When the watch was broken it begins again:
	// again is called before the documents come anew, and who kept some keeps those that
	// come again.
	Watch(ctx context.Context, table string, changed func(id string, body json.RawMessage), ready, again func()) error
	// Hear calls changed with each document of a public table that comes, changes or goes
	// (body nil) from now on, until ctx ends. It calls from one goroutine. It calls begun
	// when it has begun to hear, and again when it was interrupted and what was read before
	// may be old.
	Hear(ctx context.Context, table string, changed func(id string, body json.RawMessage), begun func()) error
	// Own gives a user's documents of a table that has an own list for each user, by the
	// rest of their id.
	Own(ctx context.Context, table, user string) (map[string]json.RawMessage, error)
	// OnOwn calls f when Own may give another answer, until stop is called. f must not
	// block.
	OnOwn(table, user string, f func()) (stop func(), err error)
}

// Signals carries what is worthless a moment later, between edges; *bus.Bus is one. Nobody
// answers, and what nobody hears is gone.
type Signals interface {
	// Signal publishes to who hears the subject now. It does not wait.
	Signal(subject string, data []byte) error
	// OnSignal calls f with what is published on a subject, this process's own among it,
	// until stop is called; f may run once more while stop does. f must not block.
	OnSignal(subject string, f func(data []byte)) (stop func(), err error)
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
		{d.Rooms == nil, "Rooms"}, {d.Playlists == nil, "Playlists"}, {d.Chats == nil, "Chats"},
		{d.Live == nil, "Live"}, {d.LivePlaylists == nil, "LivePlaylists"}, {d.LiveChats == nil, "LiveChats"},
		{d.Lists == nil, "Lists"}, {d.Signals == nil, "Signals"}, {d.Commands == nil, "Commands"}, {d.Queries == nil, "Queries"},
		{d.Tokens == nil, "Tokens"}, {d.Clock == nil, "Clock"}, {d.Ready == nil, "Ready"}, {d.Log == nil, "Log"},
	} {
		if p.missing {
			errs = append(errs, errors.New("edge: Deps."+p.name+" is missing"))
		}
	}
	return errors.Join(errs...)
}
