package subjects_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

// The examples of RFC 8785 and of ECMAScript's Number::toString.
func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":{"d":[1, 2 ,{}],"c":null}}`:                                       `{"a":{"c":null,"d":[1,2,{}]},"b":1}`,
		`"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`:                             `"€$\u000f\nA'B\"\\\\\"/"`,
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`: "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]`:           `[333333333.3333333,1e+30,4.5,0.002,1e-27]`,
		`[-0,0.0,1e21,1e20,1e-6,1e-7,9007199254740992,9007199254740991,-1.5e-9]`:      `[0,0,1e+21,100000000000000000000,0.000001,1e-7,9007199254740992,9007199254740991,-1.5e-9]`,
		`"<&>\u2028\u007f"`: "\"<&>\u2028\u007f\"",
		` true `:            `true`,
	} {
		got, err := subjects.Canonical([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s\n gives %s, %v\n  want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{``, `{`, `1e999`, `{}{}`, `{}}`, `[]]`, `nul`} {
		if got, err := subjects.Canonical([]byte(bad)); err == nil {
			t.Errorf("%s gives %s", bad, got)
		}
	}
	a, err := subjects.Hash([]byte(`{"a":1.0,"b":2}`))
	b, err2 := subjects.Hash([]byte(`{"b":2,"a":1}`))
	if err != nil || err2 != nil || a != b || len(a) != 64 {
		t.Errorf("%s %s", a, b)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x\u0000"]}`, `1e-7`, `"\ud800"`, `-0`, `{"":{"":null}}`, `12345678901234567890`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, err := subjects.Canonical(raw)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("%s is no JSON", once)
		}
		twice, err := subjects.Canonical(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s, once more %s, %v", once, twice, err)
		}
		var was, is any
		if json.Unmarshal(raw, &was) == nil && json.Unmarshal(once, &is) == nil && !reflect.DeepEqual(was, is) {
			t.Fatalf("%s means something else than %s", once, raw)
		}
	})
}

// The examples of RFC 7396, appendix A.
func TestApplyPatch(t *testing.T) {
	for _, tc := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{``, `{"a":1}`, `{"a":1}`},
	} {
		got, err := subjects.ApplyPatch([]byte(tc[0]), []byte(tc[1]))
		if err != nil || string(got) != tc[2] {
			t.Errorf("%s with %s gives %s, %v; want %s", tc[0], tc[1], got, err, tc[2])
		}
	}
	for _, bad := range []string{``, `{`, `{}}`} {
		if _, err := subjects.ApplyPatch([]byte(`{}`), []byte(bad)); err == nil {
			t.Errorf("the patch %q is taken", bad)
		}
	}
}

func FuzzApplyPatch(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1}}`), []byte(`{"a":{"b":null,"c":[null]}}`))
	f.Add([]byte(`[]`), []byte(`{"a":{"b":{"c":null}}}`))
	f.Fuzz(func(t *testing.T, doc, patch []byte) {
		once, err := subjects.ApplyPatch(doc, patch)
		if err != nil {
			return
		}
		twice, err := subjects.ApplyPatch(once, patch)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("once %s, twice %s, %v", once, twice, err)
		}
		same, err := subjects.ApplyPatch(once, []byte(`{}`))
		if once[0] == '{' && (err != nil || !bytes.Equal(once, same)) {
			t.Fatalf("the empty patch makes %s of %s, %v", same, once, err)
		}
	})
}

// TestMarks changes a document in arbitrary places: the patch built from the marks leads
// from the old document to the new one.
func TestMarks(t *testing.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		type leaf struct {
			N int `json:"n"`
		}
		doc := map[string]map[string]leaf{"a": {}, "b": {}, "c": {}}
		encode := func() []byte {
			raw, err := subjects.CanonicalOf(doc)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		var m subjects.Marks
		have := encode()
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			m.Reset()
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				k, l := key.Draw(t, "key"), key.Draw(t, "leaf")
				if rapid.Bool().Draw(t, "gone") {
					delete(doc[k], l)
				} else {
					doc[k][l] = leaf{rapid.Int().Draw(t, "n") % 100}
				}
				if _, there := doc[k][l]; there && rapid.Bool().Draw(t, "deep") {
					m.Mark(k, l, "n")
				}
				m.Mark(k, l)
			}
			patch, err := m.Patch(func(path []string) (any, bool) {
				v, ok := doc[path[0]][path[1]]
				if len(path) == 3 {
					return v.N, ok
				}
				return v, ok
			})
			if err != nil {
				t.Fatal(err)
			}
			if have, err = subjects.ApplyPatch(have, patch); err != nil {
				t.Fatal(err)
			}
			if want := encode(); !bytes.Equal(have, want) {
				t.Fatalf("%s leads to %s, want %s", patch, have, want)
			}
		}
	})
	var none *subjects.Marks
	none.Mark("x")
	if p, err := none.Patch(nil); err != nil || string(p) != "{}" {
		t.Errorf("%s, %v", p, err)
	}
}

func sampleCommit(t *testing.T) *subjects.Commit {
	t.Helper()
	_, commits, _ := goldenFold(t)
	c := commits[0]
	for i := range commits {
		c.Sealed = append(c.Sealed, commits[i].Sealed...)
	}
	c.Public.Events = append(c.Public.Events, commits[1].Public.Events...)
	c.Order = "spspss"
	return &c
}

func TestCommit(t *testing.T) {
	c := sampleCommit(t)
	raw, err := subjects.AppendCommit(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	back, err := subjects.DecodeCommit(raw)
	if err != nil || !reflect.DeepEqual(&back, c) {
		t.Fatalf("%+v, %v\nwant %+v", back, err, c)
	}
	public, err := subjects.PublicPart(raw)
	if err != nil || bytes.Contains(public, []byte("sealed")) {
		t.Fatalf("%s, %v", public, err)
	}
	var p subjects.Public
	if err := json.Unmarshal(public, &p); err != nil || !reflect.DeepEqual(p, c.Public) {
		t.Fatalf("%+v, %v", p, err)
	}
	order := ""
	if err := c.Each(func(_ *subjects.Event, to []string) error {
		if to == nil {
			order += "p"
		} else {
			order += "s"
		}
		return nil
	}); err != nil || order != "spspsssss" {
		t.Fatalf("%q, %v", order, err)
	}
	stop := errors.New("stop")
	if err := c.Each(func(*subjects.Event, []string) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	for _, bad := range []string{
		``, `{}`, `[]`, `{"rev":0}`, `{"epoch":1,"rev":1,"at":1,"public":{"events":[],"patch":null}}x`,
		`{"rev":1,"public":{"events":[],"patch":[]}}`,
		`{"rev":1,"public":{"events":[{"type":"a\"b"}],"patch":{}}}`,
		`{"rev":1,"public":{"events":[]},"sealed":[{"type":"a","to":null}]}`,
		`{"rev":1,"public":{"events":[]},"sealed":[{"type":"a","to":[]}]}`,
	} {
		if _, err := subjects.DecodeCommit([]byte(bad)); !errors.Is(err, subjects.ErrBadCommit) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	c.Order = "pppp"
	if err := c.Each(func(*subjects.Event, []string) error { return nil }); !errors.Is(err, subjects.ErrBadCommit) {
		t.Error(err)
	}
}

func FuzzDecodeCommit(f *testing.F) {
	f.Add([]byte(`{"epoch":1,"rev":2,"at":3,"public":{"events":[{"type":"a.b","by":"u","at":3,"cmd":"c","body":{"x":"}\"]"}}],"patch":{"a":null}},"sealed":[{"to":["u"],"type":"c.d","by":"u","at":3,"cmd":"c","body":{}}],"order":"ps"}`))
	f.Add([]byte(`{"rev":1,"public":{"events":[],"patch":{}}}`))
	f.Add([]byte(`{"epoch":1,"rev":1,"at":1,"public":{`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if part, err := subjects.PublicPart(raw); err == nil && json.Valid(raw) && !json.Valid(part) {
			t.Fatalf("the public part of %s is %s", raw, part)
		}
		c, err := subjects.DecodeCommit(raw)
		if err != nil {
			if !errors.Is(err, subjects.ErrBadCommit) {
				t.Fatal(err)
			}
			return
		}
		if c.Each(func(*subjects.Event, []string) error { return nil }) != nil {
			return
		}
		again, err := subjects.AppendCommit(nil, &c)
		if err != nil || !json.Valid(again) {
			t.Fatalf("%s becomes %s, %v", raw, again, err)
		}
		back, err := subjects.DecodeCommit(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if back.Rev != c.Rev || len(back.Public.Events) != len(c.Public.Events) || len(back.Sealed) != len(c.Sealed) {
			t.Fatalf("%+v comes back as %+v", c, back)
		}
		part, err := subjects.PublicPart(again)
		if err != nil || !json.Valid(part) {
			t.Fatalf("the public part of %s is %s, %v", again, part, err)
		}
	})
}
