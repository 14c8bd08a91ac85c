package tutti

import (
	"context"
	"iter"

	"github.com/tuttihq/tutti/subjects"
)

// aggregate is one room, playlist or chat, which need not exist. It holds nothing and costs
// nothing.
type aggregate[D, Y, V any] struct {
	client *Client
	id     string
	kind   *kind[D, Y, V]
}

// ID gives its id.
func (a *aggregate[D, Y, V]) ID() string { return a.id }

// Do sends a command and waits for its final answer. body is what the verb takes, as a type
// of package subjects or anything that encodes as that; nil for a verb that takes nothing.
//
// The command has one id, made in the server's time, under which it is sent until there is
// an answer: however often that is, it takes effect once. The commands of this client to one
// room, playlist or chat take effect in the order of the calls. While there is no connection
// they wait.
//
// The error is a *subjects.Refusal if the command was refused, and the answer then names the
// state that was looked at. When ctx ends first, the error wraps ctx.Err() and the last
// answer that was not final, if one came; whether the command takes effect is then not
// known, if it was sent. A command that is without an answer for as long as ids are
// remembered (subjects.CommandHorizon) comes back as CodeExpired.
func (a *aggregate[D, Y, V]) Do(ctx context.Context, verb string, body any) (subjects.Answer, error) {
	if err := a.check(); err != nil {
		return subjects.Answer{}, err
	}
	m, err := a.client.command(ctx, a.kind.channel(a.id), verb, body)
	return m.answer, err
}

func (a *aggregate[D, Y, V]) do(ctx context.Context, verb string, body any) error {
	_, err := a.Do(ctx, verb, body)
	return err
}

// check refuses what is no id of the kind.
func (a *aggregate[D, Y, V]) check() error {
	if !a.kind.is(a.id) {
		return subjects.Refuse(subjects.CodeNotFound, "%q is not a %s's id", a.id, a.kind.noun)
	}
	return nil
}

// follow gives the feed; give it back with feeds.leave.
func (a *aggregate[D, Y, V]) follow() (*feed, *docFeed[D, Y, V], error) {
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	f, err := a.client.feeds.follow(a.kind.channel(a.id), func() follower { return newDocFeed(a.kind) })
	if err != nil {
		return nil, nil, err
	}
	return f, f.of.(*docFeed[D, Y, V]), nil
}

// Views yields what there is now and then whenever it has changed, always the newest: who
// is slow misses what was in between. It goes on over breaks of the connection, and ends as
// Updates does.
func (a *aggregate[D, Y, V]) Views(ctx context.Context) iter.Seq2[*V, error] {
	return func(yield func(*V, error) bool) {
		f, feed, err := a.follow()
		if err != nil {
			yield(nil, err)
			return
		}
		defer a.client.feeds.leave(f)
		var last *V
		for {
			feed.mu.Lock()
			err, news := feed.err, feed.news
			var now *V
			if feed.complete() {
				now = feed.now()
			}
			feed.mu.Unlock()
			if now != nil && now != last && !yield(now, nil) {
				return
			}
			last = now
			if err != nil {
				yield(nil, err)
				return
			}
			if !awaitNews(ctx, news, 0) {
				return
			}
		}
	}
}

// View gives what there is now, followed or not.
func (a *aggregate[D, Y, V]) View(ctx context.Context) (*V, error) {
	for v, err := range a.Views(ctx) {
		return v, err
	}
	return nil, ctx.Err()
}

// Counts says what the feed has seen since somebody follows it; false if nobody does.
func (a *aggregate[D, Y, V]) Counts() (Counts, bool) {
	s := a.client.feeds
	s.mu.Lock()
	f := s.open[a.kind.channel(a.id)]
	s.mu.Unlock()
	if f == nil {
		return Counts{}, false
	}
	feed := f.of.(*docFeed[D, Y, V])
	feed.mu.Lock()
	defer feed.mu.Unlock()
	return feed.counts, true
}
