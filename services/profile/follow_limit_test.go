package profile_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

func TestNobodyFollowsTooMany(t *testing.T) {
	d := deploy(t)
	d.start(t, config())
	anna := d.person(t, "Anna")
	for i := range subjects.MaxFollows - 2 {
		id := subjects.DeriveID(subjects.PrefixUser, time.Unix(int64(i), 0), "followed")
		body := fmt.Sprintf(`{"follower":%q,"followed":%q,"at":1,"order":%q}`, anna, id, subjects.NewID("follow", time.Unix(int64(i), 0)))
		doc := store.Document{ID: subjects.FollowID(anna, id), Version: store.Version{Rev: 1}, Body: json.RawMessage(body)}
		if err := d.store.Put(t.Context(), subjects.TableFollows, doc); err != nil {
			t.Fatal(err)
		}
	}
	var others []string
	for i := range 6 {
		others = append(others, d.person(t, fmt.Sprint("other", i)))
	}
	var wg sync.WaitGroup
	d.store.gather(int64(len(others))) // each looks whether there is room before any writes
	for _, id := range others {        // with room for two
		wg.Go(func() {
			if code := subjects.CodeOf(follow(d, anna, id)); code != "" && code != subjects.CodeFull {
				t.Errorf("refused with %s", code)
			}
		})
	}
	wg.Wait()
	all := 0
	for _, err := range store.All(t.Context(), d.store, subjects.TableFollows, store.Query{Index: "by_follower", Equal: []any{anna}, Limit: 500}) {
		if err != nil {
			t.Fatal(err)
		}
		all++
	}
	if all > subjects.MaxFollows {
		t.Fatalf("follows %d", all)
	}
	for _, id := range others { // at once perhaps none got in; one after the other two do
		if code := subjects.CodeOf(follow(d, anna, id)); code != "" && code != subjects.CodeFull {
			t.Fatalf("refused with %s", code)
		}
	}
	if p := person(t, d, anna, anna); *p.Following != subjects.MaxFollows {
		t.Fatalf("follows %d", *p.Following)
	}
	last := d.person(t, "last")
	refused(t, follow(d, anna, last), subjects.CodeFull)
	if err := follow(d, last, anna); err != nil { // being followed has no bound
		t.Fatal(err)
	}
}
