package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// bot takes part with nothing but a NATS client and the names of subjects.
type bot struct {
	t     *testing.T
	nc    *nats.Conn
	js    jetstream.JetStream
	inbox *nats.Subscription
	id    string
}

func newBot(p *program, user string) *bot {
	p.t.Helper()
	nc := p.dial()
	js, err := jetstream.New(nc)
	must(p.t, err)
	inbox, err := nc.SubscribeSync(nats.NewInbox())
	must(p.t, err)
	return &bot{p.t, nc, js, inbox, user}
}

func (b *bot) message(door subjects.Door, id, room, verb, text string) *nats.Msg {
	b.t.Helper()
	subject, err := subjects.Command{Service: subjects.ServiceRoom, ID: room, Verb: verb, Principal: b.id}.Subject(door)
	must(b.t, err)
	data, err := json.Marshal(subjects.Envelope{ID: id, Body: json.RawMessage(text)})
	must(b.t, err)
	m := nats.NewMsg(subject)
	m.Data = data
	return m
}

// ask sends a command through request-reply.
func (b *bot) ask(id, room, verb, text string) subjects.Answer {
	b.t.Helper()
	reply, err := b.nc.RequestMsg(b.message(subjects.DoorAsk, id, room, verb, text), patience)
	must(b.t, err)
	var a subjects.Answer
	must(b.t, json.Unmarshal(reply.Data, &a))
	return a
}

// leave puts a command into the COMMANDS stream and waits for its answer.
func (b *bot) leave(id, room, verb, text string) subjects.Answer {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m := b.message(subjects.DoorQueue, id, room, verb, text)
	m.Header.Set(subjects.HeaderReplyTo, b.inbox.Subject)
	_, err := b.js.PublishMsg(ctx, m)
	must(b.t, err)
	reply, err := b.inbox.NextMsg(patience)
	must(b.t, err)
	var a subjects.Answer
	must(b.t, json.Unmarshal(reply.Data, &a))
	return a
}

// Both doors lead to the same room, and a command that comes through both takes effect
// once.
func TestABotSpeaksPlainNATS(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Bots", body{"minimumScore": 9, "tracks": []string{"demo:aurora", "demo:night-tram", "demo:paper-boats"}})
	b := newBot(p, p.register("robot").id)
	cmd := func() string { return subjects.NewID(subjects.PrefixCommand, time.Now()) }

	feed, err := b.nc.SubscribeSync(subjects.Feed(subjects.ServiceRoom, room))
	must(t, err)
	must(t, b.nc.Flush())

	first := b.ask(cmd(), room, "vote", `{"track":"demo:aurora"}`)
	equal(t, "a vote from outside", subjects.CodeOf(first.Err()), subjects.CodeNotMember)
	must(t, b.ask(cmd(), room, "join", `{}`).Err())
	equal(t, "members", ann.see(room).State.MemberCount, 2)

	for _, track := range []string{"demo:aurora", "demo:night-tram"} {
		id, text := cmd(), `{"track":"`+track+`"}`
		send := []func(id, room, verb, text string) subjects.Answer{b.ask, b.leave}
		if track == "demo:night-tram" { // the other door first
			send[0], send[1] = send[1], send[0]
		}
		answer := send[0](id, room, "vote", text)
		must(t, answer.Err())
		equal(t, "the command answered", answer.Command, id)
		for range 2 {
			equal(t, "through the other door", send[1](id, room, "vote", text), answer)
			equal(t, "through the same door", send[0](id, room, "vote", text), answer)
		}
		equal(t, "score", ann.see(room).State.Queue[track].Score, 2)
	}

	// The order sent is the order applied: queued without waiting for answers.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, m := range []*nats.Msg{
		b.message(subjects.DoorQueue, cmd(), room, "leave", `{}`),
		b.message(subjects.DoorQueue, cmd(), room, "join", `{}`),
		b.message(subjects.DoorQueue, cmd(), room, "vote", `{"track":"demo:paper-boats"}`),
	} {
		_, err := b.js.PublishMsg(ctx, m)
		must(t, err)
	}
	eventually(t, func() string {
		if ann.see(room).State.Queue["demo:paper-boats"].Score != 2 {
			return "the queued vote is not counted"
		}
		return ""
	})
	log := p.log(room)
	once(t, log)

	// Who listens hears the log, commit by commit.
	for i := range log {
		if i == 0 {
			continue // the room was there before
		}
		m, err := feed.NextMsg(patience)
		must(t, err)
		heard, err := subjects.DecodeCommit(m.Data)
		must(t, err)
		equal(t, "revision heard", heard.Rev, log[i].Rev)
	}

	// Nobody is the platform over a refusal: a person's name is a person's, and sys does
	// not vote.
	sys := newBot(p, subjects.System)
	equal(t, "a vote by the platform", subjects.CodeOf(sys.ask(cmd(), room, "vote", `{"track":"demo:aurora"}`).Err()), subjects.CodeForbidden)
	old := subjects.NewID(subjects.PrefixCommand, time.Now().Add(-subjects.CommandHorizon-time.Minute))
	equal(t, "an old command", subjects.CodeOf(b.ask(old, room, "leave", `{}`).Err()), subjects.CodeExpired)
	_, err = ann.commandAs(old, room, "leave", nil)
	equal(t, "an old command over HTTP", codeOf(err), subjects.CodeExpired)
}

// What is queued while the process is dead is carried out when it lives again.
func TestQueuedCommandsSurviveAKill(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann := p.register("ann")
	room := ann.open("Later", body{"minimumScore": 9, "tracks": demoTracks(t, ann)})
	b := newBot(p, p.register("robot").id)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	queue := ann.queue(room)
	_, err := b.js.PublishMsg(ctx, b.message(subjects.DoorQueue, subjects.NewID(subjects.PrefixCommand, time.Now()), room, "join", `{}`))
	must(t, err)
	for _, track := range queue {
		m := b.message(subjects.DoorQueue, subjects.NewID(subjects.PrefixCommand, time.Now()), room, "vote", `{"track":"`+track+`"}`)
		_, err := b.js.PublishMsg(ctx, m)
		must(t, err)
	}
	p.kill() // at whatever point it is
	p.up()
	eventually(t, func() string {
		for _, e := range ann.see(room).State.Queue {
			if e.Score != 2 {
				return e.Track.ID + " misses the bot's vote"
			}
		}
		return ""
	})
	once(t, p.log(room))
}
