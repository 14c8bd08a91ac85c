package tutti

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tuttihq/tutti/subjects"
)

// LobbyQuery narrows the lobby.
type LobbyQuery struct {
	// Prefix is the beginning of the rooms' names, in whatever case.
	Prefix string
	// Limit is how many rooms, 1 to subjects.MaxLobby; 0 for as many as that.
	Limit int
}

// Lobby yields the open rooms that most people are in, the fullest first, and again
// whenever something changed in the list; who is slow misses what was in between. A client
// follows the lobby in one way at a time: another query meanwhile ends with ErrLobbyInUse.
func (c *Client) Lobby(ctx context.Context, q LobbyQuery) iter.Seq2[[]subjects.RoomSummary, error] {
	return live(ctx, c, subjects.ChannelRooms, q, func(a, b subjects.RoomSummary) int {
		return cmp.Or(cmp.Compare(b.MemberCount, a.MemberCount), strings.Compare(a.NameKey, b.NameKey), strings.Compare(a.ID, b.ID))
	})
}

// Invitations yields the private rooms that the client's user is invited to or made, by
// name, and again whenever that changed.
func (c *Client) Invitations(ctx context.Context) iter.Seq2[[]subjects.RoomInvite, error] {
	return live(ctx, c, subjects.ChannelMe, LobbyQuery{}, func(a, b subjects.RoomInvite) int {
		return cmp.Or(strings.Compare(a.NameKey, b.NameKey), strings.Compare(a.Room, b.Room))
	})
}

// MyPlaylists yields the playlists that the client's user is in or invited to, by name, and
// again whenever that changed.
func (c *Client) MyPlaylists(ctx context.Context) iter.Seq2[[]subjects.PlaylistPerson, error] {
	return live(ctx, c, subjects.ChannelPlaylists, LobbyQuery{}, func(a, b subjects.PlaylistPerson) int {
		return cmp.Or(strings.Compare(a.NameKey, b.NameKey), strings.Compare(a.Playlist, b.Playlist))
	})
}

// live yields the documents of a live query in an order.
func live[T any](ctx context.Context, c *Client, ch subjects.Channel, q LobbyQuery, order func(a, b T) int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		f, err := c.feeds.follow(ch, func() follower { return newListFeed(q) })
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.feeds.leave(f)
		list := f.of.(*listFeed)
		if list.query != q {
			yield(nil, ErrLobbyInUse)
			return
		}
		last := uint64(0)
		for {
			docs, version, news, err := list.now()
			if version != last {
				last = version
				out, err := decodeAll[T](docs)
				if err == nil {
					slices.SortFunc(out, order)
				}
				if !yield(out, err) || err != nil {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

func decodeAll[T any](docs map[string]json.RawMessage) ([]T, error) {
	out := make([]T, 0, len(docs))
	for id, raw := range docs {
		var doc T
		if err := json.Unmarshal(raw, &doc); err != nil {
			return nil, fmt.Errorf("%w: document %q: %w", ErrProtocol, id, err)
		}
		out = append(out, doc)
	}
	return out, nil
}

// maxListed bounds the documents of a live query that are kept.
const maxListed = 4096

// listFeed keeps the result of a live query.
type listFeed struct {
	query LobbyQuery

	mu      sync.Mutex
	syncing bool
	version uint64 // 0 before the first result
	docs    map[string]json.RawMessage
	news    chan struct{} // closed and replaced at each change
	err     error
}

func newListFeed(q LobbyQuery) *listFeed {
	return &listFeed{query: q, syncing: true, news: make(chan struct{})}
}

// ask implements follower.
func (l *listFeed) ask(_ string, f *subjects.ClientFrame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.syncing = true
	f.Prefix, f.Limit = l.query.Prefix, l.query.Limit
}

// take implements follower.
func (l *listFeed) take(f *subjects.ServerFrame) (again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case f.Type == subjects.FrameDocs:
		l.docs, l.syncing = maps.Clone(f.Docs), false
		if l.docs == nil {
			l.docs = map[string]json.RawMessage{}
		}
	case f.Type != subjects.FrameDoc || l.syncing:
		return false, nil
	case len(f.Doc) == 0 || string(f.Doc) == "null":
		delete(l.docs, f.DocID)
	default:
		l.docs[f.DocID] = f.Doc
	}
	if len(l.docs) > maxListed {
		return false, fmt.Errorf("%w: a live query of more than %d documents", ErrProtocol, maxListed)
	}
	l.changed()
	return false, nil
}

func (l *listFeed) changed() {
	l.version++
	close(l.news)
	l.news = make(chan struct{})
}

// fail implements follower.
func (l *listFeed) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		close(l.news)
		l.news = make(chan struct{})
	}
}

// now gives what there is, and what is closed when it changes.
func (l *listFeed) now() (docs map[string]json.RawMessage, version uint64, news <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.docs), l.version, l.news, l.err
}
