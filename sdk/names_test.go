package tutti_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	tutti "github.com/tuttihq/tutti/sdk"
	"github.com/tuttihq/tutti/subjects"
)

// directory answers subs of the channel users from names, all at version 1, and notes what
// was asked for.
type directory struct {
	names map[string]string
	asked [][]string
}

func (d *directory) sub(f subjects.ClientFrame) *subjects.ServerFrame {
	d.asked = append(d.asked, f.IDs)
	docs := map[string]json.RawMessage{}
	for _, id := range f.IDs {
		if name, ok := d.names[id]; ok {
			docs[id] = answer(200, subjects.Profile{ID: id, Nickname: name, Rev: 1}).Body
		}
	}
	return &subjects.ServerFrame{Type: subjects.FrameDocs, Channel: f.Channel, Docs: docs}
}

func renamed(id, name string, rev uint64) subjects.ServerFrame {
	return subjects.ServerFrame{Type: subjects.FrameDoc, Channel: subjects.ChannelUsers, DocID: id, Doc: answer(200, subjects.Profile{ID: id, Nickname: name, Rev: rev}).Body}
}

func TestNamesAreLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		d := &directory{names: map[string]string{anna: "Anna", bob: "Bob"}}
		s.onSub = d.sub
		c := s.user(t, "ada")
		defer c.Close()
		names, other := c.Names(), c.Names()
		defer names.Close()
		defer other.Close()
		var seen []string
		ended := make(chan error, 1)
		go func() {
			for now, err := range names.Views(t.Context()) {
				if err != nil {
					ended <- err
					return
				}
				seen = append(seen, fmt.Sprint(now[anna].Nickname, "+", now[bob].Nickname, " of ", len(now)))
			}
			ended <- nil
		}()
		set := func(n *tutti.Names, users ...string) {
			t.Helper()
			if err := n.Set(users...); err != nil {
				t.Error(err)
			}
			pass(time.Second)
		}
		saw := func(what string, want ...string) {
			t.Helper()
			pass(time.Second)
			if !slices.Equal(seen, want) {
				t.Errorf("%s: %v, want %v", what, seen, want)
			}
			seen = nil
		}
		saw("nobody", "+ of 0")
		if s.dials != 0 {
			t.Error("a socket was opened that nothing needs")
		}
		set(names, anna)
		saw("one", "Anna+ of 1")
		set(names, anna, bob, bob)
		saw("two", "Anna+Bob of 2")
		s.send(renamed(bob, "Robert", 3))
		saw("a new name", "Anna+Robert of 2")
		s.send(renamed(bob, "Rob", 2))
		s.cut(0) // the sub is answered with version 1
		saw("older versions")
		s.send(renamed("user_nobody", "Eve", 3))
		saw("somebody who was not asked for")
		if p, ok := names.Profile(bob); !ok || p.Nickname != "Robert" {
			t.Errorf("%+v, %v", p, ok)
		}
		if _, ok := other.Profile(bob); ok {
			t.Error("known to a set that bob is not in")
		}
		set(other, bob)
		set(names, anna)
		saw("one less", "Anna+ of 1")
		if p, ok := other.Profile(bob); !ok || p.Nickname != "Robert" {
			t.Errorf("another set still holds bob: %+v, %v", p, ok)
		}
		s.send(subjects.ServerFrame{Type: subjects.FrameDoc, Channel: subjects.ChannelUsers, DocID: anna})
		saw("went", "+ of 0")
		other.Close()
		names.Close()
		if err := <-ended; err != nil {
			t.Errorf("closed: %v", err)
		}
		synctest.Wait()
		s.do(func() {
			for k := range s.conns {
				if len(k.subs) != 0 {
					t.Errorf("still followed: %v", k.subs)
				}
			}
		})
		if err := names.Set(anna); !errors.Is(err, tutti.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if want := [][]string{{anna}, {anna, bob}, {anna, bob}, {anna, bob}, {anna, bob}}; fmt.Sprint(d.asked) != fmt.Sprint(want) {
			t.Errorf("asked for %v, want %v", d.asked, want)
		}
	})
}

func TestNamesAreBoundedAndGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake(t)
		d := &directory{}
		s.onSub = d.sub
		c := s.user(t, "ada")
		defer c.Close()
		all := make([]string, subjects.MaxUsersFollowed+1)
		for i := range all {
			all[i] = subjects.DeriveID(subjects.PrefixUser, time.UnixMilli(1), fmt.Sprint(i))
		}
		names, other := c.Names(), c.Names()
		for i := range all[1:] {
			if err := names.Set(all[:i+1]...); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		if n := len(d.asked); n > 3 || len(d.asked[n-1]) != subjects.MaxUsersFollowed {
			t.Errorf("asked %d times for %d users that were added one by one", n, subjects.MaxUsersFollowed)
		}
		if err := names.Set(all...); !errors.Is(err, tutti.ErrTooManyUsers) {
			t.Errorf("one more: %v", err)
		}
		if err := other.Set(all[len(all)-1]); !errors.Is(err, tutti.ErrTooManyUsers) {
			t.Errorf("one more in another set: %v", err)
		}
		if err := other.Set(all[:7]...); err != nil {
			t.Errorf("those that are followed already: %v", err)
		}
		if err := names.Set(all[7:]...); !errors.Is(err, tutti.ErrTooManyUsers) {
			t.Errorf("one more over both sets: %v", err)
		}
		if err := names.Set(all[8:]...); err != nil {
			t.Errorf("as many as fit: %v", err)
		}
		if err := names.Set("ada"); subjects.CodeOf(err) != subjects.CodeInvalid {
			t.Errorf("what is no id: %v", err)
		}
		// Refused for good, then taken again.
		s.do(func() {
			s.onSub = func(f subjects.ClientFrame) *subjects.ServerFrame {
				return &subjects.ServerFrame{Type: subjects.FrameErr, ID: f.ID, Refusal: subjects.Refuse(subjects.CodeForbidden, "not you")}
			}
		})
		s.cut(0)
		pass(time.Minute)
		for _, err := range names.Views(t.Context()) {
			if subjects.CodeOf(err) != subjects.CodeForbidden {
				t.Errorf("refused: %v", err)
			}
		}
		d.names = map[string]string{anna: "Anna"}
		s.do(func() { s.onSub = d.sub })
		if err := names.Set(anna); err != nil {
			t.Error(err)
		}
		for now, err := range names.Views(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if now[anna].Nickname == "Anna" {
				break
			}
		}
		c.Close()
		for what, set := range map[string]*tutti.Names{"followed": names, "empty": c.Names()} {
			var last error
			for _, err := range set.Views(t.Context()) {
				last = err
			}
			if !errors.Is(last, tutti.ErrClosed) {
				t.Errorf("%s, and the client was closed: %v", what, last)
			}
			if err := set.Set(bob); !errors.Is(err, tutti.ErrClosed) {
				t.Errorf("%s, after the client was closed: %v", what, err)
			}
			set.Close()
		}
	})
}
