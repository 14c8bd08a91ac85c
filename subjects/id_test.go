package subjects_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tuttihq/tutti/subjects"
)

func TestIDs(t *testing.T) {
	at := time.UnixMilli(1_777_636_800_123)
	id := subjects.NewID(subjects.PrefixRoom, at)
	if err := subjects.CheckID(subjects.PrefixRoom, id); err != nil || !subjects.Token(id) {
		t.Fatalf("%q: %v", id, err)
	}
	if err := subjects.CheckID(subjects.PrefixUser, id); !errors.Is(err, subjects.ErrBadID) {
		t.Fatalf("a room's id passes as a user's: %v", err)
	}
	if got, err := subjects.IDTime(id); err != nil || !got.Equal(at) {
		t.Fatalf("%v, %v", got, err)
	}
	if id == subjects.NewID(subjects.PrefixRoom, at) {
		t.Fatal("two ids are one")
	}
	derived := subjects.DeriveID("cmd", at, "a", "b")
	if again := subjects.DeriveID("cmd", at, "a", "b"); derived != again ||
		derived == subjects.DeriveID("cmd", at, "ab") || derived == subjects.DeriveID("cmd", at, "a", "b", "") {
		t.Fatal("a derived id does not follow from its parts")
	}
	for _, bad := range []string{
		"", "_", "room", "room_", "_01KQHPHXG05QEVK0843BW3VH8V", "Room_01KQHPHXG05QEVK0843BW3VH8V",
		"room_01KQHPHXG05QEVK0843BW3VH8", "room_01KQHPHXG05QEVK0843BW3VH8VV", "room_81KQHPHXG05QEVK0843BW3VH8V",
		"room_01kqhphxg05qevk0843bw3vh8v", "room_01KQHPHXG05QEVK0843BW3VHIV", "ro.m_01KQHPHXG05QEVK0843BW3VH8V",
		strings.Repeat("a", 64) + "_01KQHPHXG05QEVK0843BW3VH8V",
	} {
		if err := subjects.CheckID(subjects.PrefixRoom, bad); !errors.Is(err, subjects.ErrBadID) {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := subjects.IDTime(bad); !errors.Is(err, subjects.ErrBadID) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, 1<<48-1), 2, 20).Draw(t, "times")
		slices.Sort(times)
		last := ""
		for i, ms := range times {
			id := subjects.NewID("x", time.UnixMilli(ms))
			if got, err := subjects.IDTime(id); err != nil || got.UnixMilli() != ms {
				t.Fatalf("%d comes back as %v, %v", ms, got, err)
			}
			b, err := subjects.IDBytes(id)
			if err != nil {
				t.Fatal(err)
			}
			var back int64
			for _, c := range b[:6] {
				back = back<<8 | int64(c)
			}
			if back != ms {
				t.Fatalf("%d is %d in bytes", ms, back)
			}
			if i > 0 && times[i-1] < ms && id <= last {
				t.Fatalf("%s is not after %s", id, last)
			}
			last = id
		}
	})
}

func TestErrors(t *testing.T) {
	for _, c := range subjects.Codes() {
		if s := c.HTTPStatus(); s < 400 || s > 599 {
			t.Errorf("%s has status %d", c, s)
		}
		if s := c.HTTPStatus(); !c.Final() != (s == 429 || s == 503) {
			t.Errorf("%s: final %t with status %d", c, c.Final(), s)
		}
		r := subjects.Refuse(c, "because of %d", 1)
		if !errors.Is(r, &subjects.Refusal{Code: c}) || subjects.CodeOf(r) != c || r.Error() != string(c)+": because of 1" {
			t.Errorf("%v", r)
		}
	}
	if errors.Is(subjects.Refuse(subjects.CodeBusy, ""), subjects.Refuse(subjects.CodeFull, "")) {
		t.Error("codes are mixed up")
	}
	if subjects.CodeOf(nil) != "" || subjects.CodeOf(errors.New("x")) != subjects.CodeInternal {
		t.Error("CodeOf")
	}
	if unknown := subjects.Code("new"); unknown.HTTPStatus() != 500 || !unknown.Final() {
		t.Error("an unknown code")
	}
	if r := subjects.RefuseField("name", "empty"); r.Code != subjects.CodeInvalid || r.Error() != "invalid: name: empty" {
		t.Error(r)
	}
}
