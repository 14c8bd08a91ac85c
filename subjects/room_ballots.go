package subjects

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// ballots remembers who voted for which queued track: one bit a vote, so that a full
// room (MaxMembers × MaxQueue votes) fits into less than a megabyte.
//
// A voter has a slot while at least one of their votes stands. A new voter takes the
// lowest free slot, so that the slots follow from the events alone, whether they were
// folded from the log or from a snapshot.
type ballots struct {
	slotOf map[string]int
	users  []string // by slot; "" is free
	held   []int    // by slot: how many votes stand
	free   int      // free slots below len(users)
	lowest int      // no free slot is below it
	tracks map[string][]uint64
	// shelved are votes for tracks that were taken out of the queue and may be put back, by
	// the change that took them out.
	shelved map[int64][]uint64
}

func newBallots() ballots {
	return ballots{slotOf: map[string]int{}, tracks: map[string][]uint64{}, shelved: map[int64][]uint64{}}
}

// has reports whether the user's vote for the track stands.
func (b *ballots) has(user, track string) bool {
	slot, ok := b.slotOf[user]
	if !ok {
		return false
	}
	set := b.tracks[track]
	return slot/64 < len(set) && set[slot/64]&(1<<(slot%64)) != 0
}

// add notes a vote; a second one is nothing. Its cost does not depend on how many there
// are: the search for a free slot goes once over what was freed.
func (b *ballots) add(user, track string) {
	if user == "" || b.has(user, track) { // "" marks a free slot; it names nobody
		return
	}
	slot := b.slot(user)
	set := b.tracks[track]
	for slot/64 >= len(set) {
		set = append(set, 0)
	}
	set[slot/64] |= 1 << (slot % 64)
	b.tracks[track] = set
	b.held[slot]++
}

func (b *ballots) slot(user string) int {
	if slot, ok := b.slotOf[user]; ok {
		return slot
	}
	slot := len(b.users)
	if b.free > 0 {
		for slot = b.lowest; b.users[slot] != ""; {
			slot++
		}
		b.free--
		b.lowest = slot + 1
	} else {
		b.users, b.held = append(b.users, ""), append(b.held, 0)
	}
	b.users[slot], b.slotOf[user] = user, slot
	return slot
}

// drop forgets the votes for a track. Its cost is the number of them.
func (b *ballots) drop(track string) {
	b.release(b.tracks[track])
	delete(b.tracks, track)
}

func (b *ballots) release(set []uint64) {
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			b.let(i*64 + bits.TrailingZeros64(word))
		}
	}
}

// let takes one vote from a slot, which is free after the last.
func (b *ballots) let(slot int) {
	if b.held[slot]--; b.held[slot] == 0 {
		delete(b.slotOf, b.users[slot])
		b.users[slot] = ""
		b.free++
		b.lowest = min(b.lowest, slot)
	}
}

// shelve keeps the votes for a track aside, under the number of a change.
func (b *ballots) shelve(change int64, track string) {
	if set, ok := b.tracks[track]; ok {
		b.shelved[change] = set
		delete(b.tracks, track)
	}
}

// unshelve puts them back, in place of what there is.
func (b *ballots) unshelve(change int64, track string) {
	b.drop(track)
	if set, ok := b.shelved[change]; ok {
		b.tracks[track] = set
		delete(b.shelved, change)
	}
}

// dropShelf forgets votes that were kept aside.
func (b *ballots) dropShelf(change int64) {
	b.release(b.shelved[change])
	delete(b.shelved, change)
}

// of lists the tracks that the user voted for, sorted.
func (b *ballots) of(user string) []string {
	out := []string{}
	if _, ok := b.slotOf[user]; !ok {
		return out
	}
	for track := range b.tracks {
		if b.has(user, track) {
			out = append(out, track)
		}
	}
	slices.Sort(out)
	return out
}

// count gives the number of votes for a track.
func (b *ballots) count(track string) int {
	n := 0
	for _, word := range b.tracks[track] {
		n += bits.OnesCount64(word)
	}
	return n
}

func (b *ballots) clone() ballots {
	c := ballots{
		slotOf: maps.Clone(b.slotOf), users: slices.Clone(b.users), held: slices.Clone(b.held),
		free: b.free, lowest: b.lowest, tracks: make(map[string][]uint64, len(b.tracks)),
		shelved: make(map[int64][]uint64, len(b.shelved)),
	}
	for change, set := range b.shelved {
		c.shelved[change] = slices.Clone(set)
	}
	for track, set := range b.tracks {
		c.tracks[track] = slices.Clone(set)
	}
	return c
}

// ballotsJSON is how ballots stand in a snapshot: the users by slot ("" for a free one),
// and for each track a bit a slot, in base 64, the lowest slot first.
type ballotsJSON struct {
	Users   []string          `json:"users"`
	Tracks  map[string]string `json:"tracks"`
	Shelved map[int64]string  `json:"shelved,omitempty"`
}

func (b *ballots) encode() ballotsJSON {
	n := len(b.users)
	for n > 0 && b.users[n-1] == "" {
		n--
	}
	out := ballotsJSON{Users: slices.Clone(b.users[:n]), Tracks: make(map[string]string, len(b.tracks))}
	if out.Users == nil {
		out.Users = []string{}
	}
	for track, set := range b.tracks {
		out.Tracks[track] = encodeSet(set)
	}
	if len(b.shelved) > 0 {
		out.Shelved = make(map[int64]string, len(b.shelved))
		for change, set := range b.shelved {
			out.Shelved[change] = encodeSet(set)
		}
	}
	return out
}

func encodeSet(set []uint64) string {
	raw := make([]byte, 0, len(set)*8)
	for _, word := range set {
		raw = binary.LittleEndian.AppendUint64(raw, word)
	}
	for len(raw) > 0 && raw[len(raw)-1] == 0 {
		raw = raw[:len(raw)-1]
	}
	return base64.RawStdEncoding.EncodeToString(raw)
}

func decodeBallots(in ballotsJSON) (ballots, error) {
	b := newBallots()
	b.users, b.held = in.Users, make([]int, len(in.Users))
	for slot, user := range in.Users {
		if user == "" {
			b.free++
			continue
		}
		b.slotOf[user] = slot
	}
	for track, text := range in.Tracks {
		set, err := b.decodeSet(text)
		if err != nil {
			return ballots{}, fmt.Errorf("subjects: votes for %s: %w", clip(track), err)
		}
		b.tracks[track] = set
	}
	for change, text := range in.Shelved {
		set, err := b.decodeSet(text)
		if err != nil {
			return ballots{}, fmt.Errorf("subjects: votes of change %d: %w", change, err)
		}
		b.shelved[change] = set
	}
	return b, nil
}

// decodeSet reads votes and counts them for their voters.
func (b *ballots) decodeSet(text string) ([]uint64, error) {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	set := make([]uint64, (len(raw)+7)/8)
	for i, c := range raw {
		set[i/8] |= uint64(c) << (8 * (i % 8))
	}
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			slot := i*64 + bits.TrailingZeros64(word)
			if slot >= len(b.users) || b.users[slot] == "" {
				return nil, fmt.Errorf("no voter in slot %d", slot)
			}
			b.held[slot]++
		}
	}
	return set, nil
}
