package subjects

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// What the scanner takes, encoding/json takes too, and reads the same out of it.
func FuzzScanAgreesWithJSON(f *testing.F) {
	for _, s := range []string{
		`{"epoch":1,"rev":2,"at":3,"public":{"events":[{"type":"a.b","by":"u","at":3,"cmd":"c","body":{"x":"}\"]"}}],"patch":{"a":null}},"sealed":[{"to":["u","v"],"type":"c.d","by":"u","at":3,"cmd":"c","body":{}}],"order":"ps"}`,
		`{"epoch":1,"rev":2,"at":-3,"public":{"events":[],"patch":{}}}`,
		`{"epoch":01,"rev":2,"at":3,"public":{"events":[],"patch":{}}}`,
		`{"epoch":1,"rev":2,"at":3,"public":{"events":[],"patch":{"a":}}}`,
		`{"id":"cmd_01","body":{"a":[1,{}]}}`, `{"id":"cmd_01"}`, `{"id":"a\"b","body":{}}`, `{"id":"x","body":[}]}`,
		`{"id":"x","body":{"a":[1,-2.5e+7,"\u00e9\n",{"b":true,"c":null}],"d":false,"e":[]}}`, `{"id":"x","body":{"a":01}}`, `{"id":"x","body":{"a":[1,]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, ok := scanCommit(raw); ok {
			var want Commit
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatalf("%s: json says %v", raw, err)
			}
			same(t, raw, got, want)
		}
		if got, ok := scanEnvelope(raw); ok {
			var want Envelope
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatalf("%s: json says %v", raw, err)
			}
			same(t, raw, got, want)
		}
	})
}

func same(t *testing.T, raw []byte, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		t.Fatalf("%s: scanned %s, json reads %s", raw, g, w)
	}
}

func TestScanTakesWhatAppendCommitWrites(t *testing.T) {
	c := Commit{Epoch: 1, Rev: 9, At: 1_700_000_000_000, Order: "psp",
		Public: Public{Patch: json.RawMessage(`{"a":{"b":"ü \" }"}}`), Events: []Event{
			{Type: "a.b", By: "user_1", At: 5, Cmd: "cmd_1", Body: json.RawMessage(`{"t":"\\"}`)},
			{Type: "a.c", By: "sys", At: 6, Cmd: "cmd_2", Body: json.RawMessage(`{}`)},
		}},
		Sealed: []Sealed{{To: []string{"user_2", AudienceService}, Event: Event{Type: "x.y", By: "u", At: 5, Cmd: "c", Body: json.RawMessage(`{"k":[1,2]}`)}}},
	}
	raw, err := AppendCommit(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := scanCommit(raw)
	if !ok {
		t.Fatalf("not taken: %s", raw)
	}
	if !reflect.DeepEqual(got, c) {
		t.Fatalf("scanned %+v, want %+v", got, c)
	}
}

func BenchmarkDecodeCommit(b *testing.B) {
	c := Commit{Epoch: 1, Rev: 9, At: 1_700_000_000_000, Public: Public{Patch: json.RawMessage(`{"count":5,"total":7}`), Events: []Event{
		{Type: "tally.added", By: "user_01HF7YAT00000000000000000A", At: 1_700_000_000_000, Cmd: "cmd_01HF7YAT00000000000000000A", Body: json.RawMessage(`{"n":1,"k":1}`)},
	}}}
	raw, err := AppendCommit(nil, &c)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCommit(raw); err != nil {
			b.Fatal(err)
		}
	}
}
