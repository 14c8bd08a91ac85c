package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// TableClaims is where claims on unique names are kept. It is the authority on them and
// is not rebuilt: its table is store.Hard.
const TableClaims = "room_names"

// claimKind begins the key of a claim on a room's name; subjects.RoomNameKey tells which
// names count as the same.
const claimKind = "room-name"

// claimGrace is how old the claim of a room that was never created must be before
// another room may have the name. A creation takes seconds at most.
const claimGrace = time.Minute

// Nicknames tells what people are called.
type Nicknames interface {
	// Nickname gives a user's nickname, "" if there is none or it is not known.
	Nickname(ctx context.Context, user string) (string, error)
}

// Rooms tells which rooms there are.
type Rooms interface {
	// Created reports whether a room's log has begun.
	Created(ctx context.Context, roomID string) (bool, error)
}

// Claims makes room names unique by documents in TableClaims whose key is the name. A
// name is claimed before its room is created and released after it was closed. Should
// the room not come about, the name is free again after a minute.
type Claims struct {
	Store     store.Store
	Nicknames Nicknames
	Rooms     Rooms
	// Now is the present; time.Now if nil.
	Now func() time.Time
}

// claim is the body of a claim's document.
type claim struct {
	Room string `json:"room"`
	Name string `json:"name"`
	// At is when it was claimed, in Unix milliseconds.
	At int64 `json:"at"`
}

// Claim reserves a name for a room. Where another room has the wanted name, the creator's
// nickname is appended in parentheses (the end of their id, if they have none); where
// that is taken too, the end of the room's own id as well, which no other room has.
func (c *Claims) Claim(ctx context.Context, roomID, wanted, creator string) (string, error) {
	ok, err := c.take(ctx, roomID, wanted)
	if err != nil || ok {
		return wanted, err
	}
	by := tail(creator)
	if c.Nicknames != nil {
		switch n, err := c.Nicknames.Nickname(ctx, creator); {
		case err != nil && ctx.Err() != nil:
			return "", err
		case err == nil && n != "":
			by = n
		}
	}
	for _, name := range []string{
		fmt.Sprintf("%s (%s)", wanted, by),
		fmt.Sprintf("%s (%s, %s)", wanted, by, tail(roomID)),
		fmt.Sprintf("%s (%s)", wanted, roomID),
	} {
		ok, err := c.take(ctx, roomID, name)
		if err != nil || ok {
			return name, err
		}
	}
	return "", fmt.Errorf("room: every form of the name %q is taken", clip(wanted))
}

// Release frees the name of a room that was closed. A name that the room does not hold,
// or not any more, stays as it is.
func (c *Claims) Release(ctx context.Context, roomID, name string) error {
	id := claimID(name)
	for range attempts {
		doc, held, err := c.holder(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil
		case err != nil:
			return err
		case held.Room != roomID:
			return nil
		}
		err = c.Store.Delete(ctx, TableClaims, id, doc.Version.Next())
		if !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return fmt.Errorf("room: release %q: %w", clip(name), store.ErrUnavailable)
}

// attempts bounds how often a write that somebody overtook is tried again at once.
const attempts = 4

// take reports whether the name is the room's now; false if another room has it.
func (c *Claims) take(ctx context.Context, roomID, name string) (bool, error) {
	id, now := claimID(name), c.now()
	body, err := json.Marshal(claim{Room: roomID, Name: name, At: now.UnixMilli()})
	if err != nil {
		return false, fmt.Errorf("room: claim %q: %w", clip(name), err)
	}
	version := store.Version{Rev: 1}
	for range attempts {
		err := c.Store.Insert(ctx, TableClaims, store.Document{ID: id, Version: version, Body: body})
		if err == nil {
			return true, nil
		}
		var conflict *store.ConflictError
		switch {
		case errors.Is(err, store.ErrStale) && errors.As(err, &conflict):
			version = conflict.Current.Next() // over a released claim
			continue
		case !errors.Is(err, store.ErrExists):
			return false, err
		}
		doc, held, err := c.holder(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue // released meanwhile
		case err != nil:
			return false, err
		case held.Room == roomID:
			// Asked again: the minute begins anew, so that nobody takes the name of a room
			// that is still being created.
			err := c.Store.Put(ctx, TableClaims, store.Document{ID: id, Version: doc.Version.Next(), Body: body})
			if errors.Is(err, store.ErrStale) {
				continue
			}
			return err == nil, err
		case now.Sub(time.UnixMilli(held.At)) <= claimGrace:
			return false, nil
		}
		created, err := c.Rooms.Created(ctx, held.Room)
		if err != nil || created {
			return false, err
		}
		err = c.Store.Put(ctx, TableClaims, store.Document{ID: id, Version: doc.Version.Next(), Body: body})
		if !errors.Is(err, store.ErrStale) {
			return err == nil, err
		}
	}
	return false, fmt.Errorf("room: claim %q: %w", clip(name), store.ErrUnavailable)
}

func (c *Claims) holder(ctx context.Context, id string) (store.Document, claim, error) {
	doc, err := c.Store.Get(ctx, TableClaims, id)
	if err != nil {
		return doc, claim{}, err
	}
	var held claim
	err = doc.Decode(&held)
	return doc, held, err
}

func (c *Claims) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func claimID(name string) string { return store.ClaimID(claimKind, subjects.RoomNameKey(name)) }

// tail gives the end of an id: enough for people to tell two apart.
func tail(s string) string {
	const n = 6
	if len(s) <= n {
		return s
	}
	return s[len(s)-n:]
}

func clip(s string) string {
	const most = 80
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}
