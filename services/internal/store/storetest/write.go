package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
)

func (s *suite) writeTests() []test {
	return []test{
		{"AbsentIsNotFound", func(ctx context.Context, t *testing.T, s store.Store) {
			got, err := s.Get(ctx, rooms, "nobody")
			wantErr(t, err, store.ErrNotFound)
			if got.ID != "" || !got.Version.IsZero() {
				t.Fatalf("got %+v beside ErrNotFound", got)
			}
		}},
		{"PutThenGet", func(ctx context.Context, t *testing.T, s store.Store) {
			want := doc(t, "a", rev(1), map[string]any{"name": "first", "n": 1.5, "list": []any{1, nil, true}, "empty": map[string]any{}})
			must(t, s.Put(ctx, rooms, want))
			wantDoc(ctx, t, s, rooms, want)
		}},
		{"TablesAreSeparate", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(5), `{"in":"rooms"}`)))
			want := doc(t, "a", rev(1), `{"in":"accounts"}`)
			must(t, s.Put(ctx, accounts, want))
			wantDoc(ctx, t, s, accounts, want)
		}},
		{"OnlyNewerVersionsWin", newerWins},
		{"LargestVersionSurvives", func(ctx context.Context, t *testing.T, s store.Store) {
			big := store.Version{Epoch: store.MaxVersionPart, Fold: store.MaxVersionPart, Rev: store.MaxVersionPart - 1}
			must(t, s.Put(ctx, rooms, doc(t, "a", big, `{}`)))
			wantConflict(t, s.Put(ctx, rooms, doc(t, "a", big, `{"x":1}`)), store.ErrStale, big, false)
			want := doc(t, "a", big.Next(), `{"x":2}`)
			must(t, s.Put(ctx, rooms, want))
			wantDoc(ctx, t, s, rooms, want)
		}},
		{"BodyIsReplacedNotMerged", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{"x":1,"deep":{"y":2}}`)))
			want := doc(t, "a", rev(2), `{"deep":{"z":3}}`)
			must(t, s.Put(ctx, rooms, want))
			wantDoc(ctx, t, s, rooms, want)
		}},
		{"BodyCanBeReusedAfterPut", func(ctx context.Context, t *testing.T, s store.Store) {
			body := []byte(`{"x":1}`)
			must(t, s.Put(ctx, rooms, store.Document{ID: "a", Version: rev(1), Body: body}))
			copy(body, `{"x":2}`)
			wantDoc(ctx, t, s, rooms, doc(t, "a", rev(1), `{"x":1}`))
		}},
		{"InsertRefusesWhatExists", func(ctx context.Context, t *testing.T, s store.Store) {
			want := doc(t, "nickname=anna", rev(1), `{"user":"u1"}`)
			must(t, s.Insert(ctx, accounts, want))
			wantConflict(t, s.Insert(ctx, accounts, doc(t, want.ID, rev(9), `{"user":"u2"}`)), store.ErrExists, rev(1), false)
			wantDoc(ctx, t, s, accounts, want)
		}},
		{"InsertOverTombstoneNeedsNewer", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Insert(ctx, accounts, doc(t, "a", rev(1), `{}`)))
			must(t, s.Delete(ctx, accounts, "a", rev(2)))
			wantConflict(t, s.Insert(ctx, accounts, doc(t, "a", rev(2), `{}`)), store.ErrStale, rev(2), true)
			want := doc(t, "a", rev(3), `{"again":true}`)
			must(t, s.Insert(ctx, accounts, want))
			wantDoc(ctx, t, s, accounts, want)
		}},
		{"DeleteLeavesTombstone", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{"name":"x"}`)))
			wantConflict(t, s.Delete(ctx, rooms, "a", rev(1)), store.ErrStale, rev(1), false)
			must(t, s.Delete(ctx, rooms, "a", rev(2)))
			got, err := s.Get(ctx, rooms, "a")
			wantErr(t, err, store.ErrNotFound)
			must(t, same(got, store.Document{ID: "a", Version: rev(2), Deleted: true}))
			wantConflict(t, s.Put(ctx, rooms, doc(t, "a", rev(2), `{}`)), store.ErrStale, rev(2), true)
			wantConflict(t, s.Delete(ctx, rooms, "a", rev(2)), store.ErrStale, rev(2), true)
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(3), `{}`)))
			wantDoc(ctx, t, s, rooms, doc(t, "a", rev(3), `{}`))
		}},
		{"DeleteOfWhatNeverWasKeepsOlderOut", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Delete(ctx, rooms, "a", rev(7)))
			wantErr(t, s.Put(ctx, rooms, doc(t, "a", rev(6), `{}`)), store.ErrStale)
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(8), `{}`)))
		}},
		{"PutOfDeletedDocumentDeletes", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{}`)))
			must(t, s.Put(ctx, rooms, store.Document{ID: "a", Version: rev(2), Deleted: true}))
			_, err := s.Get(ctx, rooms, "a")
			wantErr(t, err, store.ErrNotFound)
		}},
		{"ClearForgetsVersionsToo", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(5), `{"name":"x"}`)))
			must(t, s.Delete(ctx, rooms, "b", rev(5)))
			must(t, s.Put(ctx, accounts, doc(t, "a", rev(5), `{}`)))
			must(t, s.Clear(ctx, rooms))
			page, err := s.Find(ctx, rooms, store.Query{Index: "by_name"})
			must(t, err)
			if len(page.Documents) != 0 {
				t.Fatalf("found %d documents in a cleared table", len(page.Documents))
			}
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{}`)))
			must(t, s.Put(ctx, rooms, doc(t, "b", rev(1), `{}`)))
			wantDoc(ctx, t, s, accounts, doc(t, "a", rev(5), `{}`))
		}},
		{"UnknownTable", func(ctx context.Context, t *testing.T, s store.Store) {
			_, err := s.Get(ctx, "nowhere", "a")
			wantErr(t, err, store.ErrUnknownTable)
			wantErr(t, s.Put(ctx, "nowhere", doc(t, "a", rev(1), `{}`)), store.ErrUnknownTable)
			wantErr(t, s.Insert(ctx, "nowhere", doc(t, "a", rev(1), `{}`)), store.ErrUnknownTable)
			wantErr(t, s.Delete(ctx, "nowhere", "a", rev(1)), store.ErrUnknownTable)
			wantErr(t, s.Clear(ctx, "nowhere"), store.ErrUnknownTable)
			_, err = s.Find(ctx, "nowhere", store.Query{})
			wantErr(t, err, store.ErrUnknownTable)
			_, err = s.Changes(ctx, "nowhere")
			wantErr(t, err, store.ErrUnknownTable)
		}},
		{"EndedContext", func(ctx context.Context, t *testing.T, s store.Store) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := s.Get(ctx, rooms, "a")
			wantErr(t, err, context.Canceled)
			wantErr(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{}`)), context.Canceled)
			_, err = s.Find(ctx, rooms, store.Query{})
			wantErr(t, err, context.Canceled)
			_, err = s.Changes(ctx, rooms)
			wantErr(t, err, context.Canceled)
		}},
	}
}

// newerWins writes every pair of a set of versions, in both orders.
func newerWins(ctx context.Context, t *testing.T, s store.Store) {
	var ordered []store.Version
	for _, epoch := range []uint64{0, 1, 2} {
		for _, fold := range []uint64{0, 1, 2} {
			for _, r := range []uint64{0, 1, 9, 10} {
				if v := (store.Version{Epoch: epoch, Fold: fold, Rev: r}); !v.IsZero() {
					ordered = append(ordered, v)
				}
			}
		}
	}
	for i, v := range ordered {
		for _, j := range []int{0, i - 1, i, i + 1, len(ordered) - 1} {
			if j < 0 || j >= len(ordered) {
				continue
			}
			id := fmt.Sprintf("%s-%s", v, ordered[j])
			if _, err := s.Get(ctx, rooms, id); err == nil {
				continue
			}
			first, second := doc(t, id, v, `{"n":1}`), doc(t, id, ordered[j], `{"n":2}`)
			must(t, s.Put(ctx, rooms, first))
			err := s.Put(ctx, rooms, second)
			if j > i {
				must(t, err)
				wantDoc(ctx, t, s, rooms, second)
			} else {
				wantConflict(t, err, store.ErrStale, v, false)
				wantDoc(ctx, t, s, rooms, first)
			}
		}
	}
}

func (s *suite) limitTests() []test {
	return []test{
		{"BadDocumentsAreRefused", func(ctx context.Context, t *testing.T, s store.Store) {
			for name, bad := range map[string]store.Document{
				"no id":             doc(t, "", rev(1), `{}`),
				"long id":           doc(t, strings.Repeat("i", store.MaxID+1), rev(1), `{}`),
				"control character": doc(t, "a\x00b", rev(1), `{}`),
				"id not UTF-8":      doc(t, "a\xff", rev(1), `{}`),
				"zero version":      doc(t, "a", store.Version{}, `{}`),
				"huge version":      doc(t, "a", store.Version{Rev: store.MaxVersionPart + 1}, `{}`),
				"no body":           doc(t, "a", rev(1), ``),
				"array":             doc(t, "a", rev(1), `[]`),
				"null":              doc(t, "a", rev(1), `null`),
				"broken":            doc(t, "a", rev(1), `{"x":`),
				"two values":        doc(t, "a", rev(1), `{}{}`),
				"body not UTF-8":    doc(t, "a", rev(1), "{\"x\":\"\xff\"}"),
				"large":             doc(t, "a", rev(1), `{"x":"`+strings.Repeat("x", store.MaxBody)+`"}`),
				"many elements":     doc(t, "a", rev(1), map[string]any{"members": numbers(store.MaxMultiEntries + 1), "stats": map[string]any{"rank": 1}}),
			} {
				t.Run(name, func(t *testing.T) {
					wantErr(t, s.Put(ctx, rooms, bad), store.ErrInvalid)
					wantErr(t, s.Insert(ctx, rooms, bad), store.ErrInvalid)
				})
			}
			tombstone := store.Document{ID: "a", Version: rev(1), Deleted: true}
			wantErr(t, s.Insert(ctx, rooms, tombstone), store.ErrInvalid)
			tombstone.Body = json.RawMessage(`{}`)
			wantErr(t, s.Put(ctx, rooms, tombstone), store.ErrInvalid)
			wantErr(t, s.Delete(ctx, rooms, "a", store.Version{}), store.ErrInvalid)
			_, err := s.Get(ctx, rooms, "")
			wantErr(t, err, store.ErrInvalid)
			_, err = s.Get(ctx, rooms, "a")
			wantErr(t, err, store.ErrNotFound)
		}},
		{"LargestDocument", func(ctx context.Context, t *testing.T, s store.Store) {
			frame := `{"x":""}`
			want := doc(t, strings.Repeat("i", store.MaxID), rev(1), `{"x":"`+strings.Repeat("x", store.MaxBody-len(frame))+`"}`)
			must(t, s.Put(ctx, rooms, want))
			wantDoc(ctx, t, s, rooms, want)
			must(t, s.Delete(ctx, rooms, want.ID, rev(2)))
		}},
		{"MostElements", func(ctx context.Context, t *testing.T, s store.Store) {
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1),
				map[string]any{"members": numbers(store.MaxMultiEntries), "stats": map[string]any{"rank": 1}})))
			page, err := s.Find(ctx, rooms, store.Query{Index: "by_member", Equal: []any{store.MaxMultiEntries - 1}})
			must(t, err)
			if len(page.Documents) != 1 {
				t.Fatalf("found %d documents, want 1", len(page.Documents))
			}
		}},
		{"AnyTextSurvives", func(ctx context.Context, t *testing.T, s store.Store) {
			for i, text := range []string{"Ångström", "日本語", "👩‍👩‍👧", "\u0000", "\u2028", "e\u0301", "a\"b\\c", "\U0010FFFF"} {
				want := doc(t, fmt.Sprint("naïve-日本-", i), rev(1), map[string]any{"name": text, "ключ 鍵 🗝": text})
				must(t, s.Put(ctx, rooms, want))
				wantDoc(ctx, t, s, rooms, want)
				page, err := s.Find(ctx, rooms, store.Query{Index: "by_name", Equal: []any{text}})
				must(t, err)
				if len(page.Documents) != 1 {
					t.Fatalf("found %d documents by the name %q, want 1", len(page.Documents), text)
				}
				must(t, same(page.Documents[0], want))
			}
		}},
	}
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
