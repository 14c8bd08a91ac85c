package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// arrive waits until every client shows what it follows as the logs make it, and says what
// each shows in the end.
func (s *stage) arrive(ctx context.Context, logs map[thing]*folded) []view {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out []view
	for _, p := range s.players {
		for _, of := range s.follows(p) {
			v := view{client: p.n, of: of, err: errNotShown}
			log := logs[of]
			if log == nil {
				continue // check says so
			}
			// The hash is taken once what is shown has come far enough.
			take := func(epoch, rev uint64, hash func() (string, error)) bool {
				v.epoch, v.rev = epoch, rev
				if epoch < log.epoch || rev < log.public {
					return false
				}
				v.hash, v.err = hash()
				return true
			}
			switch of.service {
			case subjects.ServiceRoom:
				for shown, err := range p.client.Room(of.id).Views(ctx) {
					if v.err = err; err != nil || take(shown.Epoch, shown.Rev, shown.Hash) {
						break
					}
					v.err = errNotShown
				}
			case subjects.ServicePlaylist:
				for shown, err := range p.client.Playlist(of.id).Views(ctx) {
					if v.err = err; err != nil || take(shown.Epoch, shown.Rev, shown.Hash) {
						break
					}
					v.err = errNotShown
				}
			case subjects.ServiceChat:
				for shown, err := range p.client.Chat(of.id).Views(ctx) {
					if v.err = err; err != nil || take(shown.Epoch, shown.Rev, shown.Hash) {
						break
					}
					v.err = errNotShown
				}
			}
			out = append(out, v)
		}
	}
	return out
}

// kept is a document that follows from a log and is kept elsewhere.
type kept struct {
	where string
	of    thing
	want  any
	read  func(ctx context.Context) ([]byte, error) // JSON
}

// documents waits until everything outside the logs says what the logs make of it, and gives
// what was found in the end.
func (s *stage) documents(ctx context.Context, spy *spy, logs map[thing]*folded) ([]document, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out []document
	for _, k := range s.keepers(spy, logs) {
		want, err := subjects.CanonicalOf(k.want)
		if err != nil {
			return out, err
		}
		d := document{where: k.where, of: k.of, want: want}
		for {
			raw, err := k.read(ctx)
			if err == nil && raw != nil {
				raw, err = subjects.Canonical(raw)
			}
			if err != nil {
				raw = fmt.Append(nil, err)
			}
			if d.got = raw; bytes.Equal(d.got, want) || !pause(ctx, 100*time.Millisecond) {
				break
			}
		}
		out = append(out, d)
	}
	return out, nil
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *stage) keepers(spy *spy, logs map[thing]*folded) []kept {
	var out []kept
	state := func(of thing, table string, want any) {
		out = append(out, kept{"the last value on STATE", of, want, func(ctx context.Context) ([]byte, error) {
			return spy.state(ctx, table, of.id)
		}})
	}
	for _, of := range s.things() {
		if logs[of] == nil {
			continue
		}
		switch doc := logs[of].doc.(type) {
		case *subjects.Room:
			sum := doc.Summary()
			out = append(out, kept{"the search for rooms", of, []any{sum}, func(ctx context.Context) ([]byte, error) {
				var page struct {
					Rooms json.RawMessage `json:"rooms"`
				}
				err := s.get(ctx, "/v1/rooms?prefix="+url.QueryEscape(sum.Name), &page)
				return page.Rooms, err
			}})
			state(of, subjects.TableRooms, sum)
		case *subjects.Playlist:
			sum := doc.Summary()
			out = append(out, kept{"the list of playlists", of, []any{sum}, func(ctx context.Context) ([]byte, error) {
				var page struct {
					Playlists json.RawMessage `json:"playlists"`
				}
				err := s.get(ctx, "/v1/playlists?prefix="+url.QueryEscape(sum.Name), &page)
				return page.Playlists, err
			}})
			state(of, subjects.TablePlaylists, sum)
		case *subjects.Chat:
			out = append(out, kept{"the history", of, said(logs[of]), func(ctx context.Context) ([]byte, error) {
				all := []subjects.ChatEntry{}
				for e, err := range s.players[0].client.Chat(of.id).Later(ctx, "") {
					if err != nil {
						return nil, err
					}
					all = append(all, e)
				}
				return json.Marshal(all)
			}})
		}
	}
	return out
}

// said lists the messages of a log in which nothing was edited, deleted or sealed.
func said(log *folded) []subjects.ChatEntry {
	out := []subjects.ChatEntry{}
	for _, c := range log.commits {
		for _, e := range c.Public.Events {
			if ev, err := subjects.DecodeChatEvent(e.Type, e.Body); err == nil {
				if m, ok := ev.(*subjects.MessageSent); ok {
					out = append(out, subjects.ChatEntry{ID: m.Message, ChatMessage: subjects.ChatMessage{Author: m.User, Text: m.Text, At: e.At, Reactions: map[string]int{}}})
				}
			}
		}
	}
	return out
}

// get asks the first edge that answers, as a guest.
func (s *stage) get(ctx context.Context, path string, out any) error {
	var err error
	for _, edge := range s.edges {
		if err = getFrom(ctx, edge+path, out); err == nil {
			return nil
		}
	}
	return err
}

func getFrom(ctx context.Context, address string, out any) error {
	text, err := fetch(ctx, address)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // nothing is left open for the end of the test
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %d: %.200s", address, resp.StatusCode, text)
	}
	return text, nil
}
