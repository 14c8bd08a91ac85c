package natsconf

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/tuttihq/tutti/subjects"
)

// rights says of one subject who may publish to it and who may hear it. Admin may do both
// everywhere, and services what any role may: they are named only where nobody else is.
type rights struct {
	subject       string
	publish, hear []string
}

const (
	someUser = "user_01K0000000000000000000000A"
	someID   = "01K0000000000000000000000B"
	bot      = "bot"
)

// may reports whether a user is among those who have a right.
func may(list []string, user string) bool {
	switch user {
	case "admin":
		return true
	case "services":
		return has(list, "services") || slices.ContainsFunc(list, func(u string) bool { return has(roles, u) })
	}
	return has(list, user)
}

// contract lists every kind of subject there is.
func contract(t *testing.T) []rights {
	var out []rights
	add := func(subject string, publish, hear []string) {
		out = append(out, rights{subject, publish, hear})
	}
	none := []string(nil)
	for _, service := range slices.Sorted(maps.Keys(verbs)) {
		own := []string{service}
		for _, shards := range []int{1, 4} {
			add(subjects.Log{Service: service, Shards: shards}.Subject(someID), own, none)
		}
		add(subjects.Feed(service, someID), none, []string{"edge"})
		add(subjects.Snapshot(service, someID), own, none)
		add(subjects.Archived(service, someID), none, none)
		add(subjects.Timer(service, someID, 1_800_000_000), own, none)
		add(subjects.Live(service, "owners", "lease"), own, own)
		for _, verb := range verbs[service] {
			out = append(out, commands(t, service, verb)...)
		}
	}
	for _, service := range slices.Sorted(maps.Values(constants(t, "Service"))) {
		dead := []string{service}
		if has(readers[service], "chat") && service != "chat" {
			dead = append(dead, "chat") // what it cannot decode of a log that it follows
		}
		add(subjects.DLQ(service), dead, none)
		add(subjects.Query(service, "anything"), []string{"edge"}, []string{service})
	}
	// An import asks in this way whether any service runs.
	add("$SRV.PING", none, []string{"auth", "profile", "room", "playlist", "chat"})
	add(subjects.Query(subjects.ServiceRoom, "search"), []string{"edge", bot}, []string{"room"})
	add(subjects.Live(subjects.ServiceChat, someID, subjects.LiveTyping), []string{"edge"}, []string{"edge"})
	for _, table := range slices.Sorted(maps.Keys(published)) {
		p := published[table]
		public, private, hear := none, none, []string{bot}
		switch {
		case p.by == "":
		case p.own:
			private = []string{p.by}
		default:
			public = []string{p.by}
		}
		if browserHears[table] {
			hear = append(hear, "browser")
		}
		add(subjects.State(table, someID), public, hear)
		add(subjects.Own(table, someUser, someID), private, none)
		add(subjects.OwnFeed(table, someUser), none, []string{"edge"})
	}
	return out
}

// commands gives the rights to one verb, through both doors and in several names.
func commands(t *testing.T, service, verb string) []rights {
	var out []rights
	for _, who := range []string{someUser, bot, subjects.System} {
		c := subjects.Command{Service: service, ID: someID, Verb: verb, Principal: who}
		ask, queue := []string{"edge"}, queued[service+"."+verb].user
		if who == subjects.System {
			ask, queue = nil, queued[service+"."+verb].sys
		}
		if who == bot && botMay[service+"."+verb] {
			ask = append(ask, bot)
		}
		for door, senders := range map[subjects.Door][]string{subjects.DoorAsk: ask, subjects.DoorQueue: queue} {
			var hear []string
			if door == subjects.DoorAsk {
				hear = []string{service}
			}
			plain, err := c.Subject(door)
			if err != nil {
				t.Fatal(err)
			}
			routed, err := c.Routed(door, 16)
			if err != nil {
				t.Fatal(err)
			}
			// What somebody publishes is mapped to what the owner hears, and might be published
			// there as well.
			out = append(out, rights{plain, senders, nil}, rights{routed, senders, hear})
		}
	}
	return out
}

// Each user tries every subject, and is refused what is not among its rights.
func TestEachUserPublishesAndHearsItsOwn(t *testing.T) {
	s := run(t, read(t, "nats.conf"))
	all := contract(t)
	for _, user := range append([]string{"admin", "services", bot, "browser"}, roles...) {
		t.Run(user, func(t *testing.T) {
			c := login(t, s, user)
			for _, r := range all {
				if got, want := c.mayPublish(r.subject), may(r.publish, user); got != want {
					t.Errorf("publish %s: allowed is %v, it should be %v", r.subject, got, want)
				}
				if got, want := c.mayHear(r.subject), may(r.hear, user); got != want {
					t.Errorf("hear %s: allowed is %v, it should be %v", r.subject, got, want)
				}
			}
			t.Logf("%d subjects", len(all))
		})
	}
}

// Wildcards are refused that reach beyond what a user may hear.
func TestNobodyListensIn(t *testing.T) {
	s := run(t, read(t, "nats.conf"))
	for _, user := range append([]string{"services", bot, "browser"}, roles...) {
		c := login(t, s, user)
		for _, subject := range []string{">", "*", "*.>", subjects.Root + ".>", "_INBOX_*.>", "_INBOX.>", "$JS.>", "$SYS.>", subjects.DLQWildcard(), subjects.SnapshotWildcard()} {
			if c.mayHear(subject) {
				t.Errorf("%s hears %s", user, subject)
			}
		}
		for other := range users {
			inbox := fmt.Sprintf("_INBOX_%s.x.y", other)
			mine := other == user && user != "browser"
			if got := c.mayHear(inbox); got != mine {
				t.Errorf("%s hears %s: %v", user, inbox, got)
			}
			if c.mayPublish(inbox) {
				t.Errorf("%s answers %s, which asked nothing", user, inbox)
			}
		}
	}
}
