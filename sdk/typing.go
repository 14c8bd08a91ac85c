package tutti

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

const (
	// typingTime is how long it counts that somebody types.
	typingTime = 5 * time.Second
	// typingEvery is the least between two frames that say so; servers drop what comes more
	// than once a second.
	typingEvery = 2 * time.Second
	// maxTypists bounds those of a chat that are kept; further ones are passed over.
	maxTypists = 64
)

// typing is who types in a chat. The lock of the chat's feed guards it.
type typing struct {
	until map[string]time.Time // by user
	news  chan struct{}        // closed and replaced when somebody begins, or ceases by sending
	told  time.Time            // when the client said so last
}

func newTyping() typing { return typing{until: map[string]time.Time{}, news: make(chan struct{})} }

// heard: somebody types.
func (t *typing) heard(user string, now time.Time) {
	t.expire(now)
	_, there := t.until[user]
	if user == "" || !there && len(t.until) >= maxTypists {
		return
	}
	t.until[user] = now.Add(typingTime)
	t.changed() // also if it only lasts longer: the end is another
}

// spoke: who has sent a message types no more.
func (t *typing) spoke(events []subjects.Event) {
	for _, e := range events {
		if e.Type != subjects.EventMessageSent {
			continue
		}
		if _, there := t.until[e.By]; there {
			delete(t.until, e.By)
			t.changed()
		}
	}
}

func (t *typing) expire(now time.Time) {
	maps.DeleteFunc(t.until, func(_ string, until time.Time) bool { return !now.Before(until) })
}

func (t *typing) changed() {
	close(t.news)
	t.news = make(chan struct{})
}

// now gives who types, sorted, and after how long that must be looked at again; 0 for not
// before there are news.
func (t *typing) now(now time.Time) (users []string, again time.Duration) {
	t.expire(now)
	for _, until := range t.until {
		if left := until.Sub(now); again == 0 || left < again {
			again = left
		}
	}
	return slices.Sorted(maps.Keys(t.until)), again
}

// Typing tells the others in the chat that the client's user is typing, which counts for 5
// seconds. Call it with every key: it is told once in 2 seconds. The chat must be followed
// meanwhile (ErrNotFollowed). While there is no connection nothing is told, nor later; and
// nobody says whether a server passed it on.
func (c *Chat) Typing() error {
	if c.client.session.user() == "" {
		return errSignedOut()
	}
	s := c.client.feeds
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.open[c.kind.channel(c.id)]
	if f == nil {
		return ErrNotFollowed
	}
	feed := f.of.(*chatFeed)
	feed.mu.Lock()
	now := time.Now()
	due := s.link != nil && feed.known && !feed.syncing && now.Sub(feed.typing.told) >= typingEvery
	if due {
		feed.typing.told = now
	}
	feed.mu.Unlock()
	if due {
		s.link.send(encodeFrame(&subjects.ClientFrame{Type: subjects.FrameLive, Channel: f.channel, Kind: subjects.LiveTyping}))
	}
	return nil
}

// Typists yields who else is typing in the chat, by user id and sorted, and again whenever
// that changed. Nobody is told of twice: who ceases, or sends, is gone from the list. It
// ends as Updates does. At most 64 are listed.
func (c *Chat) Typists(ctx context.Context) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		f, feed, err := c.follow()
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.client.feeds.leave(f)
		var last []string
		for first := true; ; first = false {
			feed.mu.Lock()
			err, news := feed.err, feed.typing.news
			users, again := feed.typing.now(time.Now())
			feed.mu.Unlock()
			if err != nil {
				yield(nil, err)
				return
			}
			if (first || !slices.Equal(users, last)) && !yield(users, nil) {
				return
			}
			last = slices.Clone(users)
			if !awaitNews(ctx, news, again) {
				return
			}
		}
	}
}

// awaitNews waits for news, or for a time unless it is 0; false when ctx ends first.
func awaitNews(ctx context.Context, news <-chan struct{}, d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-news:
		return true
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}
