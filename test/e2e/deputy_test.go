package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tuttihq/tutti/subjects"
)

// Whoever may send commands may name the subject for the answer. It must not be one that
// only the platform publishes to: the answer would stand in a log, or carry out a command.
func TestAnswersGoToInboxesOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Deputy", body{"minimumScore": 3, "tracks": []string{"demo:aurora"}})
	before := ann.see(room)
	b := newBot(p, p.register("robot").id)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, reply := range []string{
		subjects.Events(subjects.ServiceRoom, room),
		subjects.Snapshot(subjects.ServiceRoom, room),
		subjects.State(subjects.TableProfiles, b.id),
		subjects.DLQ(subjects.ServiceRoom),
		"$JS.API.STREAM.PURGE." + subjects.StreamEvents(subjects.ServiceRoom),
		"_INBOX.*",
	} {
		cmd := func() string { return subjects.NewID(subjects.PrefixCommand, time.Now()) }
		ask := b.message(subjects.DoorAsk, cmd(), room, "vote", `{"track":"demo:aurora"}`)
		must(t, b.nc.PublishRequest(ask.Subject, reply, ask.Data))
		queued := b.message(subjects.DoorQueue, cmd(), room, "vote", `{"track":"demo:aurora"}`)
		queued.Header = nats.Header{subjects.HeaderReplyTo: {reply}}
		_, err := b.js.PublishMsg(ctx, queued)
		must(t, err)
	}
	// A query's answer is one as well.
	must(t, b.nc.PublishRequest(subjects.Query(subjects.ServiceRoom, "search"), subjects.Events(subjects.ServiceRoom, room), []byte(`{}`)))
	must(t, b.nc.PublishRequest(subjects.Query(subjects.ServiceRoom, "search"), subjects.Events(subjects.ServiceRoom, room), []byte(`[`)))
	_, err := b.nc.Request(subjects.Query(subjects.ServiceRoom, "search"), []byte(`{}`), patience)
	must(t, err)
	// One more through each door, so that those before were looked at.
	id := subjects.NewID(subjects.PrefixCommand, time.Now())
	equal(t, "asked", subjects.CodeOf(b.ask(id, room, "vote", `{"track":"demo:aurora"}`).Err()), subjects.CodeNotMember)
	equal(t, "queued", subjects.CodeOf(b.leave(id, room, "vote", `{"track":"demo:aurora"}`).Err()), subjects.CodeNotMember)
	equal(t, "dead letters", len(p.deadLetters()), 0)
	untouched(t, ann, room, before)
	equal(t, "the log", len(p.log(room)), 2)
	p.kill()
	p.up()
	equal(t, "the log after a restart", ann.see(room).Rev, 2)
}
