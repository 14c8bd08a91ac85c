package tutti_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

func TestChannelsAreBoundedAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.dial(t)
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		for range subjects.MaxChannels {
			room := c.Room(s.room())
			go func() {
				for _, err := range room.Updates(ctx) {
					if err != nil {
						t.Error(err)
					}
				}
				ended <- struct{}{}
			}()
		}
		synctest.Wait()
		if _, err := c.Room(s.room()).View(t.Context()); !errors.Is(err, tutti.ErrTooManyChannels) {
			t.Errorf("one more: %v", err)
		}
		cancel()
		for range subjects.MaxChannels {
			<-ended
		}
		synctest.Wait()
		s.do(func() {
			for k := range s.conns {
				if len(k.subs) != 0 {
					t.Errorf("still followed: %v", k.subs)
				}
			}
		})
		if _, err := c.Room(s.room()).View(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLobbyAndInvitations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		c := s.user(t, "ada")
		defer c.Close()
		doc := func(v any) json.RawMessage { return answer(200, v).Body }
		s.onSub = func(f subjects.ClientFrame) *subjects.ServerFrame {
			if f.Channel == subjects.ChannelMe {
				return &subjects.ServerFrame{Type: subjects.FrameDocs, Channel: f.Channel, Docs: map[string]json.RawMessage{"r": doc(subjects.RoomInvite{Room: "r"})}}
			}
			if f.Prefix != "fri" || f.Limit != 7 {
				t.Errorf("asked for %+v", f)
			}
			return &subjects.ServerFrame{Type: subjects.FrameDocs, Channel: f.Channel, Docs: map[string]json.RawMessage{
				"a": doc(subjects.RoomSummary{ID: "a", MemberCount: 2}), "b": doc(subjects.RoomSummary{ID: "b", MemberCount: 5}),
			}}
		}
		q := tutti.LobbyQuery{Prefix: "fri", Limit: 7}
		step := 0
		for rooms, err := range c.Lobby(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, r := range rooms {
				got += r.ID
			}
			switch step++; step {
			case 1:
				if got != "ba" {
					t.Errorf("at first %s", got)
				}
				for _, err := range c.Lobby(t.Context(), tutti.LobbyQuery{}) {
					if !errors.Is(err, tutti.ErrLobbyInUse) {
						t.Errorf("another query: %v", err)
					}
				}
				s.send(subjects.ServerFrame{Type: subjects.FrameDoc, Channel: subjects.ChannelRooms, DocID: "c", Doc: doc(subjects.RoomSummary{ID: "c", MemberCount: 3})})
			case 2:
				if got != "bca" {
					t.Errorf("one came: %s", got)
				}
				s.send(subjects.ServerFrame{Type: subjects.FrameDoc, Channel: subjects.ChannelRooms, DocID: "b"})
			case 3:
				if got != "ca" {
					t.Errorf("one went: %s", got)
				}
				s.cut(0)
			case 4:
				if got != "ba" {
					t.Errorf("over a new connection: %s", got)
				}
			}
			if step == 4 {
				break
			}
		}
		for in, err := range c.Invitations(t.Context()) {
			if err != nil || len(in) != 1 || in[0].Room != "r" {
				t.Errorf("invitations: %v, %v", in, err)
			}
			break
		}
	})
}
