package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// enlist registers under a request id until there is an answer.
func (w *person) enlist(ctx context.Context, request string) (subjects.Grant, error) {
	in := map[string]string{"request_id": request, "email": w.email, "nickname": w.nickname, "password": w.password}
	for {
		var got subjects.Grant
		err := w.post("/v1/auth/register", in, &got)
		if final(err) || ctx.Err() != nil {
			return got, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The process is killed while people register. Whoever insisted has one account and one
// profile, and both are whole.
func TestKilledWhilePeopleRegister(t *testing.T) {
	t.Parallel()
	const people, lanes = 60, 4
	p := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all := make([]*person, people)
	requests := make([]string, people)
	errs := make([]error, people)
	var next, done atomic.Int32
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= people {
					return
				}
				w := &person{p: p, nickname: fmt.Sprint("newcomer", i), email: fmt.Sprintf("newcomer%d@example.org", i), password: fmt.Sprint("their secret ", i)}
				all[i], requests[i] = w, subjects.NewID(subjects.PrefixCommand, time.Now())
				var g subjects.Grant
				g, errs[i] = w.enlist(ctx, requests[i])
				w.take(g)
				done.Add(1)
				time.Sleep(rand.N(120 * time.Millisecond))
			}
		})
	}
	kills := 0
	for done.Load() < people && kills < 6 {
		time.Sleep(rand.N(400 * time.Millisecond))
		p.kill()
		kills++
		if err := p.tryUp(); err != nil {
			cancel()
			wg.Wait()
			t.Fatal(err)
		}
	}
	wg.Wait()
	t.Logf("%d kills", kills)
	for i, w := range all {
		if errs[i] != nil {
			t.Fatalf("%s: %v", w.nickname, errs[i])
		}
		first := w.id
		must(t, w.login())
		equal(t, "the account of "+w.email, w.id, first)
		again, err := w.enlist(ctx, requests[i])
		must(t, err)
		equal(t, "the account of the same request", again.User.ID, first)
		_, err = w.enlist(ctx, subjects.NewID(subjects.PrefixCommand, time.Now()))
		equal(t, "another registration of "+w.email, codeOf(err), subjects.CodeEmailTaken)
		w.profileArrives(t)
	}
	for _, table := range []string{subjects.TableAccounts, subjects.TableProfiles} {
		for nickname, n := range p.nicknames(table, people) {
			equal(t, table+" of "+nickname, n, 1)
		}
	}
}

// profileArrives waits for a person's profile, which is made from the account.
func (w *person) profileArrives(t *testing.T) {
	t.Helper()
	eventually(t, func() string {
		var got subjects.Profile
		if err := w.get("/v1/me", &got); err != nil {
			if codeOf(err) != subjects.CodeUnavailable {
				t.Fatal(err)
			}
			return "no profile: " + err.Error()
		}
		equal(t, "profile", got.ID+" "+got.Nickname, w.id+" "+w.nickname)
		equal(t, "versions of the profile", got.Rev, 1)
		return ""
	})
}

// nicknames reads the public documents of a table and counts each nickname. It waits for
// as many documents as are wanted.
func (p *program) nicknames(table string, want int) map[string]int {
	p.t.Helper()
	js := p.jetstream()
	counts := map[string]int{}
	eventually(p.t, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		stream, err := js.Stream(ctx, subjects.StreamState)
		must(p.t, err)
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subjects.StateWildcard(table)))
		must(p.t, err)
		if len(info.State.Subjects) < want {
			return fmt.Sprintf("%d public documents of %s, want %d", len(info.State.Subjects), table, want)
		}
		clear(counts)
		for subject := range info.State.Subjects {
			m, err := stream.GetLastMsgForSubject(ctx, subject)
			must(p.t, err)
			var doc struct {
				Body struct {
					Nickname string `json:"nickname"`
				} `json:"body"`
			}
			must(p.t, json.Unmarshal(m.Data, &doc))
			counts[doc.Body.Nickname]++
		}
		return ""
	})
	equal(p.t, "people in "+table, len(counts), want)
	return counts
}

// dial connects to the program's NATS server as any NATS program does.
func (p *program) dial() *nats.Conn {
	p.t.Helper()
	nc, err := nats.Connect("nats://"+p.nats, nats.Timeout(patience))
	must(p.t, err)
	p.t.Cleanup(nc.Close)
	return nc
}

func (p *program) jetstream() jetstream.JetStream {
	p.t.Helper()
	js, err := jetstream.New(p.dial())
	must(p.t, err)
	return js
}

// What is public of an account and a profile is no secret of anybody's.
func TestWhatIsSaidOfPeople(t *testing.T) {
	t.Parallel()
	p := start(t)
	ann, bob := p.register("ann"), p.register("bob")
	ann.profileArrives(t)
	bob.profileArrives(t)
	var got subjects.Profile
	must(t, ann.call(http.MethodPatch, "/v1/me/profile", body{"bio": "plays the viola", "rev": 1}, &got))
	must(t, bob.get("/v1/users/"+ann.id, &got))
	equal(t, "bio", got.Bio, "plays the viola")
	err := ann.call(http.MethodPatch, "/v1/me/profile", body{"bio": "late", "rev": 1}, nil)
	equal(t, "a change of what has changed", codeOf(err), subjects.CodeConflict)
	var several struct {
		Profiles []subjects.Profile `json:"profiles"`
	}
	must(t, p.nobody().get("/v1/users?ids="+ann.id+","+bob.id, &several))
	equal(t, "profiles", len(several.Profiles), 2)

	for _, taken := range []struct {
		email, nickname string
		want            subjects.Code
	}{
		{"ANN@example.org", "other", subjects.CodeEmailTaken},
		{"other@example.org", "Ann", subjects.CodeNicknameTaken},
		{"no address", "other", subjects.CodeInvalid},
		{"other@example.org", "", subjects.CodeInvalid},
	} {
		err := p.nobody().post("/v1/auth/register", map[string]string{"email": taken.email, "nickname": taken.nickname, "password": "long enough"}, nil)
		equal(t, taken.email+" "+taken.nickname, codeOf(err), taken.want)
	}
	err = p.nobody().post("/v1/auth/register", map[string]string{"email": "x@example.org", "nickname": "x", "password": "short"}, nil)
	equal(t, "a short password", codeOf(err), subjects.CodeInvalid)
	equal(t, "me without a token", codeOf(p.nobody().get("/v1/me", nil)), subjects.CodeUnauthenticated)
}
