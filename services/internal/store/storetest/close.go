package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
)

func (s *suite) closeTests() []test {
	return []test{
		{"EverythingAnswersClosed", func(ctx context.Context, t *testing.T, s store.Store) {
			feed := open(ctx, t, s)
			must(t, s.Put(ctx, rooms, doc(t, "a", rev(1), `{}`)))
			must(t, s.Close())
			must(t, s.Close())
			wantErr(t, lost(ctx, t, feed), store.ErrClosed)
			_, err := s.Get(ctx, rooms, "a")
			wantErr(t, err, store.ErrClosed)
			wantErr(t, s.Put(ctx, rooms, doc(t, "a", rev(2), `{}`)), store.ErrClosed)
			wantErr(t, s.Insert(ctx, rooms, doc(t, "b", rev(2), `{}`)), store.ErrClosed)
			wantErr(t, s.Delete(ctx, rooms, "a", rev(2)), store.ErrClosed)
			wantErr(t, s.Clear(ctx, rooms), store.ErrClosed)
			_, err = s.Find(ctx, rooms, store.Query{})
			wantErr(t, err, store.ErrClosed)
			_, err = s.Changes(ctx, rooms)
			wantErr(t, err, store.ErrClosed)
		}},
		{"CloseUnderLoad", func(ctx context.Context, t *testing.T, s store.Store) {
			started := make(chan struct{}, 8)
			var working sync.WaitGroup
			for w := range 8 {
				working.Go(func() {
					for i := uint64(1); ; i++ {
						err := s.Put(ctx, rooms, doc(t, fmt.Sprint("d", w), rev(i), `{"name":"x"}`))
						if err == nil {
							_, err = s.Find(ctx, rooms, store.Query{Index: "by_name"})
						}
						if i == 1 {
							started <- struct{}{}
						}
						if err != nil {
							if !errors.Is(err, store.ErrClosed) {
								t.Errorf("got %v, want ErrClosed", err)
							}
							return
						}
					}
				})
			}
			for range 8 {
				<-started
			}
			must(t, s.Close())
			working.Wait()
		}},
	}
}
