package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// Pauses before profiles that could not be read are read again.
const (
	usersPauseMin = 200 * time.Millisecond
	usersPauseMax = 5 * time.Second
)

// run reads the profiles that are to be read, until ctx ends.
func (u *users) run(ctx context.Context) {
	wait := usersPauseMin
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.wake:
		}
		for ids, heard := u.wanted(); len(ids) > 0; ids, heard = u.wanted() {
			found, err := u.read(ctx, ids)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				u.show(ids, heard, found)
				wait = usersPauseMin
				continue
			}
			u.srv.deps.Log.Warn("profiles not read; trying again", "profiles", len(ids), "retry", wait, "err", err)
			u.give(err)
			if !rest(ctx, wait) {
				return
			}
			wait = min(2*wait, usersPauseMax)
		}
	}
}

// wanted gives some of the users that are to be read, and how much was heard of each.
func (u *users) wanted() (ids []string, heard []uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id := range u.stale {
		if len(ids) == subjects.MaxProfileBatch {
			break
		}
		ids, heard = append(ids, id), append(heard, u.people[id].heard)
	}
	return ids, heard
}

func (u *users) read(ctx context.Context, ids []string) (map[string]subjects.Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, u.srv.cfg.QueryTimeout)
	defer cancel()
	out, err := u.srv.findUsers(ctx, "", ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]subjects.Profile, len(out.Profiles))
	for _, p := range out.Profiles {
		found[p.ID] = p
	}
	return found, nil
}

// show takes in what was read, and shows it to who waits for it.
func (u *users) show(ids []string, heard []uint64, found map[string]subjects.Profile) {
	u.mu.Lock()
	defer u.mu.Unlock()
	waiting := map[*look]struct{}{}
	for i, id := range ids {
		p := u.people[id]
		if p == nil {
			continue // nobody follows them any more
		}
		if p.heard == heard[i] {
			delete(u.stale, id) // else it is read again
		}
		switch profile, ok := found[id]; {
		case ok:
			body, err := json.Marshal(profile)
			if err != nil {
				u.srv.deps.Log.Error("document not encoded", "channel", string(subjects.ChannelUsers), "document", id, "err", err)
				continue
			}
			u.take(id, p, profile.Rev, body)
		case p.heard == heard[i]:
			u.take(id, p, 0, nil)
		}
		for k := range p.looks {
			if !k.admitted {
				waiting[k] = struct{}{}
			}
		}
	}
	for k := range waiting {
		u.admit(k)
	}
}

// give tells those who wait that profiles cannot be read now.
func (u *users) give(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, k := range u.looks {
		if !k.admitted {
			u.refuse(k, fmt.Errorf("edge: profiles: %w", err))
		}
	}
}

// rest waits for d, or reports false if ctx ends before.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
