package subjects_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

var frameNoon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func frameID(prefix string) string { return subjects.DeriveID(prefix, frameNoon, "frame") }

// clientFrames has one of each type, with every field that counts.
func clientFrames() map[string]subjects.ClientFrame {
	room := subjects.RoomChannel(frameID(subjects.PrefixRoom))
	return map[string]subjects.ClientFrame{
		subjects.FrameHello: {Type: subjects.FrameHello, ID: "h", Token: "eyJ.x.y"},
		subjects.FrameSub:   {Type: subjects.FrameSub, Channel: room, Epoch: 1, Since: 41},
		"sub_rooms":         {Type: subjects.FrameSub, Channel: subjects.ChannelRooms, Prefix: "fri", Limit: 20},
		subjects.FrameUnsub: {Type: subjects.FrameUnsub, ID: "u", Channel: room},
		subjects.FrameCmd: {
			Type: subjects.FrameCmd, ID: frameID(subjects.PrefixCommand), Channel: room,
			Verb: subjects.VerbVote, Body: json.RawMessage(`{"track":"demo:aurora"}`),
		},
		subjects.FrameQuery: {Type: subjects.FrameQuery, ID: "q", Query: subjects.QueryTracks, Body: json.RawMessage(`{"query":"au","limit":5}`)},
		subjects.FramePing:  {Type: subjects.FramePing, ID: "p", Sent: 1234.5},
	}
}

// serverFrames has one of each type, with every field that counts.
func serverFrames() map[string]subjects.ServerFrame {
	id := frameID(subjects.PrefixRoom)
	room, at := subjects.RoomChannel(id), frameNoon.UnixMilli()
	event := subjects.Event{Type: subjects.EventTrackVoted, By: "user_a", At: at, Cmd: frameID(subjects.PrefixCommand), Body: json.RawMessage(`{"user":"user_a","track":"demo:aurora"}`)}
	doc := json.RawMessage(`{"id":"` + id + `","name":"Friday"}`)
	you, err := json.Marshal(&subjects.You{Member: true, Role: subjects.RoleMember, May: []string{"vote"}, Voted: []string{"demo:aurora"}, Fit: subjects.FitNone})
	if err != nil {
		panic(err)
	}
	return map[string]subjects.ServerFrame{
		subjects.FrameWelcome: {Type: subjects.FrameWelcome, ID: "h", Connection: "con_x", User: "user_a", ServerTime: at, ExpiresAt: at + 900_000, SilenceMs: 60_000},
		subjects.FrameSnap:    {Type: subjects.FrameSnap, Channel: room, Epoch: 1, Rev: 41, At: at, Reason: subjects.SnapNew, Hash: strings.Repeat("0", 64), State: doc},
		subjects.FrameResumed: {Type: subjects.FrameResumed, Channel: room, Epoch: 1, Rev: 41},
		subjects.FrameEvt: {
			Type: subjects.FrameEvt, Channel: room, Epoch: 1, Prev: 41, Rev: 42, At: at,
			Public: &subjects.Public{Events: []subjects.Event{event}, Patch: json.RawMessage(`{"queue":{"demo:aurora":{"score":2}}}`)},
		},
		subjects.FrameSealed: {Type: subjects.FrameSealed, Channel: room, Epoch: 1, Rev: 42, At: at, Events: []subjects.Event{event}},
		subjects.FrameYou:    {Type: subjects.FrameYou, Channel: room, Epoch: 1, Rev: 42, You: you},
		subjects.FrameDocs:   {Type: subjects.FrameDocs, Channel: subjects.ChannelRooms, Docs: map[string]json.RawMessage{id: doc}},
		subjects.FrameDoc:    {Type: subjects.FrameDoc, Channel: subjects.ChannelRooms, DocID: id, Doc: doc},
		"doc_gone":           {Type: subjects.FrameDoc, Channel: subjects.ChannelRooms, DocID: id},
		subjects.FrameOK:     {Type: subjects.FrameOK, ID: frameID(subjects.PrefixCommand), Channel: room, Epoch: 1, Rev: 42, At: at},
		"ok_created":         {Type: subjects.FrameOK, ID: frameID(subjects.PrefixCommand), Channel: subjects.ChannelRooms, Room: id, Epoch: 1, Rev: 1, At: at},
		subjects.FrameErr: {
			Type: subjects.FrameErr, ID: frameID(subjects.PrefixCommand), Channel: room, Epoch: 1, Rev: 42,
			Refusal: subjects.Refuse(subjects.CodeBusy, "too much waits"), Retry: true, RetryMs: 200,
		},
		subjects.FrameResult: {Type: subjects.FrameResult, ID: "q", Result: json.RawMessage(`{"tracks":[]}`)},
		subjects.FramePong:   {Type: subjects.FramePong, ID: "p", Sent: 1234.5, ServerTime: at},
		subjects.FrameGone:   {Type: subjects.FrameGone, Channel: room, Refusal: subjects.Refuse(subjects.CodeNotFound, "there is no such room")},
	}
}

func TestFramesAreGolden(t *testing.T) {
	for name, f := range clientFrames() {
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "frames/client_"+name, data)
		got, err := subjects.DecodeClientFrame(data)
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%s: read back %+v, %v", name, got, err)
		}
	}
	for name, f := range serverFrames() {
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "frames/server_"+name, data)
		var got subjects.ServerFrame
		if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%s: read back %+v, %v", name, got, err)
		}
	}
}

func TestChannels(t *testing.T) {
	id := frameID(subjects.PrefixRoom)
	if got, ok := subjects.RoomChannel(id).Room(); !ok || got != id {
		t.Errorf("got %q, %v", got, ok)
	}
	for ch, ok := range map[subjects.Channel]bool{
		subjects.RoomChannel(id): true, subjects.ChannelRooms: true, subjects.ChannelMe: true,
		"": false, "room": false, "room.": false, "room.x": false, subjects.Channel(id): false,
		"room." + subjects.Channel(frameID(subjects.PrefixUser)): false, "ROOMS": false, "me.": false,
	} {
		err := ch.Check()
		if (err == nil) != ok || err != nil && subjects.CodeOf(err) != subjects.CodeInvalid {
			t.Errorf("%q: %v", ch, err)
		}
	}
}

// A code says by its range whether to come back, also one that this release does not know.
func TestCloseCodes(t *testing.T) {
	for _, c := range subjects.CloseCodes() {
		if c >= 4000 && c.ComeBack() != (c < 4500) || c.String() == "unknown" {
			t.Errorf("%d (%s): come back %v", c, c, c.ComeBack())
		}
	}
	for c, back := range map[subjects.CloseCode]bool{1000: false, 1001: true, 1006: true, 1009: false, 1011: true, 1012: true, 1013: true, 4499: true, 4999: false} {
		if c.ComeBack() != back {
			t.Errorf("%d: come back %v", c, c.ComeBack())
		}
	}
}

func TestAFrameTooLargeIsRefused(t *testing.T) {
	f := `{"type":"ping","id":"` + strings.Repeat("x", subjects.MaxFrameBytes) + `"}`
	if _, err := subjects.DecodeClientFrame([]byte(f)); subjects.CodeOf(err) != subjects.CodeTooLarge {
		t.Errorf("%v", err)
	}
	f = `{"type":"ping","id":"` + strings.Repeat("x", subjects.MaxIDBytes+1) + `"}`
	if got, err := subjects.DecodeClientFrame([]byte(f)); subjects.CodeOf(err) != subjects.CodeInvalid || got.ID != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whatever a client sends is a frame that holds to the contract, or a typed refusal.
func FuzzDecodeClientFrame(f *testing.F) {
	for _, frame := range clientFrames() {
		data, err := json.Marshal(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := subjects.DecodeClientFrame(data)
		var r *subjects.Refusal
		if err != nil {
			if !errors.As(err, &r) || len(got.ID) > subjects.MaxIDBytes {
				t.Fatalf("%+v, %v", got, err)
			}
			return
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := subjects.DecodeClientFrame(again); err != nil && len(again) <= subjects.MaxFrameBytes {
			t.Fatalf("%s: %+v, %v", again, back, err)
		}
		switch got.Type {
		case subjects.FrameSub, subjects.FrameUnsub, subjects.FrameCmd:
			if got.Channel.Check() != nil {
				t.Fatalf("%+v", got)
			}
		}
	})
}
