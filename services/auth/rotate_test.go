package auth

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// lostAnswer is a store that does what it is told and then does not answer, once.
type lostAnswer struct {
	store.Store
	armed bool
}

func (l *lostAnswer) Put(ctx context.Context, table string, d store.Document) error {
	err := l.Store.Put(ctx, table, d)
	if l.armed {
		l.armed = false
		return store.ErrUnavailable
	}
	return err
}

func TestARotationWhoseAnswerWasLostIsFoundAgain(t *testing.T) {
	l := &lostAnswer{Store: openStore(t)}
	s := service(t, l, newClock(), testConfig())
	g := mustRegister(t, s, anna())
	l.armed = true
	g, err := refresh(s, g.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refresh(s, g.RefreshToken); err != nil {
		t.Fatal(err)
	}
}

// fickle is a store whose writes of sessions end as put says, for one refresh.
type fickle struct {
	store.Store
	put func(ctx context.Context, write func(context.Context) error) error
}

func (f *fickle) Put(ctx context.Context, table string, d store.Document) error {
	write := func(ctx context.Context) error { return f.Store.Put(ctx, table, d) }
	if f.put == nil || table != tableSessions {
		return write(ctx)
	}
	return f.put(ctx, write)
}

// Whatever becomes of the write: if the person is not given the new token, the old one is
// good, and nobody is taken for a thief.
func TestARotationIsSeenThroughOrNotBegun(t *testing.T) {
	for name, c := range map[string]struct {
		put   func(leave func()) func(context.Context, func(context.Context) error) error
		gone  bool // the asker has left before
		fails bool
	}{
		"the asker leaves while it is written": {put: func(leave func()) func(context.Context, func(context.Context) error) error {
			return func(ctx context.Context, write func(context.Context) error) error {
				leave()
				return errors.Join(write(context.WithoutCancel(ctx)), ctx.Err())
			}
		}},
		"written, but it took too long": {put: func(func()) func(context.Context, func(context.Context) error) error {
			times := 0
			return func(ctx context.Context, write func(context.Context) error) error {
				if times++; times == 1 {
					return errors.Join(write(ctx), context.DeadlineExceeded)
				}
				return write(ctx)
			}
		}},
		"given up, and written after that": {put: func(func()) func(context.Context, func(context.Context) error) error {
			var late func(context.Context) error
			return func(ctx context.Context, write func(context.Context) error) error {
				if late == nil {
					late = write
					return context.DeadlineExceeded
				}
				return errors.Join(late(ctx), write(ctx))
			}
		}},
		"not written": {fails: true, put: func(func()) func(context.Context, func(context.Context) error) error {
			return func(context.Context, func(context.Context) error) error { return store.ErrUnavailable }
		}},
		"the asker has left": {gone: true, fails: true, put: func(func()) func(context.Context, func(context.Context) error) error {
			return func(context.Context, func(context.Context) error) error {
				t.Error("it was begun")
				return store.ErrUnavailable
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fickle{Store: openStore(t)}
			s := service(t, f, newClock(), testConfig())
			g := mustRegister(t, s, anna())
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			f.put = c.put(leave)
			next, err := g, error(nil)
			if c.gone {
				tok, perr := parseRefreshToken(g.RefreshToken)
				if perr != nil {
					t.Fatal(perr)
				}
				ses, version, gerr := s.getSession(ctx, tok.session())
				if gerr != nil {
					t.Fatal(gerr)
				}
				leave()
				err = s.rotate(ctx, tok.session(), version, ses)
			} else if got, rerr := s.refresh(ctx, subjects.RefreshRequest{RefreshToken: g.RefreshToken}); rerr != nil {
				err = rerr
			} else {
				next = got
			}
			if (err != nil) != c.fails || (err != nil && !transient(err)) {
				t.Fatalf("got %v", err)
			}
			f.put = nil
			if _, err := refresh(s, next.RefreshToken); err != nil {
				t.Fatalf("the session is lost: %v", err)
			}
		})
	}
}

func TestARotationThatCannotBeAnsweredInTimeIsNotBegun(t *testing.T) {
	s := service(t, openStore(t), newClock(), testConfig())
	g := mustRegister(t, s, anna())
	ctx, cancel := context.WithTimeout(t.Context(), rotateWait/2)
	defer cancel()
	_, err := s.refresh(ctx, subjects.RefreshRequest{RefreshToken: g.RefreshToken})
	if !transient(err) {
		t.Fatalf("got %v", err)
	}
	if _, err := refresh(s, g.RefreshToken); err != nil {
		t.Fatal(err)
	}
}

// Access tokens are shown to many; who reads one cannot end the session it came from.
func TestTheSessionIDInAccessTokensIsNoHandle(t *testing.T) {
	st := openStore(t)
	s := service(t, st, newClock(), testConfig())
	g := mustRegister(t, s, anna())
	valid := func(g subjects.Grant) subjects.Validation {
		v, err := s.validate(t.Context(), subjects.ValidateRequest{AccessToken: g.AccessToken})
		if err != nil || !v.Active {
			t.Fatalf("%+v, %v", v, err)
		}
		return v
	}
	sid := valid(g).SessionID
	forged := newRefreshToken(sid).encode()
	_, err := refresh(s, forged)
	refused(t, err, subjects.CodeUnauthenticated)
	if _, err := s.logout(t.Context(), subjects.LogoutRequest{RefreshToken: forged}); err != nil {
		t.Fatal(err)
	}
	if g, err = refresh(s, g.RefreshToken); err != nil {
		t.Fatalf("the holder of an access token ended its session: %v", err)
	}
	if again := valid(g).SessionID; again != sid {
		t.Errorf("the session's id was %s and is %s", sid, again)
	}
	handle, _, _ := strings.Cut(g.RefreshToken.Reveal(), ".")
	for id, doc := range documents(t, st, tableSessions) {
		if id != sid || strings.Contains(string(doc.Body), handle) {
			t.Errorf("%s: %s", id, doc.Body)
		}
	}
}
