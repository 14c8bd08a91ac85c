package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/services/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestVersionOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		part := rapid.Uint64Range(0, 2)
		draw := func(name string) store.Version {
			return store.Version{Epoch: part.Draw(r, name), Fold: part.Draw(r, name), Rev: part.Draw(r, name)}
		}
		a, b := draw("a"), draw("b")
		number := func(v store.Version) uint64 { return v.Epoch*9 + v.Fold*3 + v.Rev }
		if a.Newer(b) != (number(a) > number(b)) || b.Compare(a) != -a.Compare(b) || (a.Compare(b) == 0) != (a == b) {
			r.Fatalf("%s and %s compare as %d", a, b, a.Compare(b))
		}
		if !a.Next().Newer(a) || a.IsZero() != (number(a) == 0) || (store.Version{}).Newer(a) {
			r.Fatalf("zero or next of %s", a)
		}
	})
	text, err := json.Marshal(store.Version{Epoch: 1, Fold: 2, Rev: 3})
	if err != nil || string(text) != `{"epoch":1,"fold":2,"rev":3}` {
		t.Fatalf("as JSON %s, %v", text, err)
	}
}

func TestErrorsAreTold(t *testing.T) {
	for _, reason := range []error{store.ErrStale, store.ErrExists} {
		err := error(&store.ConflictError{Reason: reason, Table: "rooms", ID: "a", Current: store.Version{Rev: 3}})
		if !errors.Is(err, reason) || !store.Final(err) || !strings.Contains(err.Error(), "rooms/a is at 0.0.3") {
			t.Errorf("%v", err)
		}
	}
	for _, err := range []error{store.ErrUnavailable, store.ErrFeedLost, fmt.Errorf("%w: %w", store.ErrFeedLost, store.ErrUnavailable), errors.New("other")} {
		if store.Final(err) {
			t.Errorf("%v is final", err)
		}
	}
}

func TestSchemaReportsEverything(t *testing.T) {
	_, err := store.NewSchema(
		store.Table{Name: "Rooms"},
		store.Table{Name: "a", Durability: 9, Indexes: []store.Index{
			{Name: "x y", Fields: []string{"f"}}, {Name: "b"}, {Name: "c", Fields: []string{"a..b"}},
			{Name: "d", Fields: []string{"f"}}, {Name: "d", Fields: []string{"f"}},
		}},
		store.Table{Name: "a"},
	)
	if !errors.Is(err, store.ErrInvalid) {
		t.Fatal(err)
	}
	for _, part := range []string{`table "Rooms": bad name`, "durability 9", `index "x y": bad name`, `index "b": 1 to`,
		`bad field "a..b"`, `index "d": named twice`, `table "a": named twice`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}

func TestClaimIDsAreValidAndDifferent(t *testing.T) {
	seen := make(map[string]string)
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringN(100, 200, -1), rapid.Just("a\xff"), rapid.StringMatching(`[#=a]{0,3}`)).Draw(r, "name")
		id := store.ClaimID("nickname", name)
		if err := store.ValidateID(id); err != nil {
			r.Fatalf("%q: %v", id, err)
		}
		if other, ok := seen[id]; ok && other != name {
			r.Fatalf("%q and %q share %q", name, other, id)
		}
		seen[id] = name
	})
	if got := store.ClaimID("nickname", "anna"); got != "nickname=anna" {
		t.Errorf("got %q", got)
	}
}

// FuzzIndexKeys holds the reading of single fields against encoding/json.
func FuzzIndexKeys(f *testing.F) {
	for _, seed := range []string{
		`{"a":{"b":1}}`, `{"a":{"b":"x\"}"},"a":{"b":2}}`, ` { "a" : { "c" : [ {} , "]" ] , "b" : true } } `,
		`{"\u0061":{"b":"\ud83d\ude00"}}`, `{"a":null}`, `{"a":{"b":-0}}`, `{"a":{"b":1e999}}`, `{"a":[1,2]}`, `{}`, `{"a":{"b":[{"b":1}]}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		d := store.Document{ID: "a", Version: store.Version{Rev: 1}, Body: json.RawMessage(body)}
		if d.Validate() != nil {
			return
		}
		keys, err := store.Index{Name: "x", Fields: []string{"a.b"}}.Keys(d.Body)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		var outer map[string]json.RawMessage
		if err := json.Unmarshal(d.Body, &outer); err != nil {
			t.Fatal(err)
		}
		var inner map[string]json.RawMessage
		if json.Unmarshal(outer["a"], &inner) == nil {
			_ = json.Unmarshal(inner["b"], &want) // what a float64 cannot hold is not there
		}
		switch v := want.(type) {
		case string:
			if len(v) > store.MaxIndexString {
				want = keys[0][0] // cut; of that there are other tests
			}
		case bool, float64:
		default:
			if len(keys) != 0 {
				t.Fatalf("%s has keys %v, want none", body, keys)
			}
			return
		}
		if len(keys) != 1 || keys[0][0] != want {
			t.Fatalf("%s has keys %v, want %v", body, keys, want)
		}
	})
}

// FuzzCursor gives anything as a cursor.
func FuzzCursor(f *testing.F) {
	table := store.Table{Name: "rooms", Indexes: []store.Index{{Name: "by_name", Fields: []string{"name"}}}}
	query := store.Query{Index: "by_name"}
	plan, err := query.Plan(table)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plan.Cursor(store.Place{Key: store.Key{"x"}, ID: "a"}))
	f.Add(plan.Cursor(store.Place{Key: store.Key{"x", true}, ID: "a"}))
	f.Add(plan.Cursor(store.Place{Key: store.Key{1.5}}))
	f.Fuzz(func(t *testing.T, cursor string) {
		query.Cursor = cursor
		plan, err := query.Plan(table)
		if err != nil {
			if !errors.Is(err, store.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if cursor != "" && (plan.After == nil || len(plan.After.Key) != 1 || store.ValidateID(plan.After.ID) != nil) {
			t.Fatalf("%q begins behind %+v", cursor, plan.After)
		}
	})
}
