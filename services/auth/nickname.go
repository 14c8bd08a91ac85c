package auth

import (
	"context"
	"errors"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// renameTries bounds how often a change of nickname begins anew because the account or a
// claim changed meanwhile. Each lost round is somebody else's progress.
const renameTries = 8

// errMoved: what a change of nickname was based on is no more; it begins anew.
var errMoved = errors.New("auth: account changed meanwhile")

// nickname changes the nickname of an account. See the package's page for how it holds
// against crashes and against others who want the name.
func (s *Service) nickname(ctx context.Context, req subjects.NicknameRequest) (subjects.NicknameAnswer, error) {
	if err := subjects.CheckID(subjects.PrefixUser, req.UserID); err != nil {
		return subjects.NicknameAnswer{}, subjects.RefuseField("userId", "this is not a user's id")
	}
	shown, key, err := normaliseNickname(req.Nickname)
	if err != nil {
		return subjects.NicknameAnswer{}, err
	}
	for try, pending := 1, 1; try <= renameTries; {
		err := s.rename(ctx, req.UserID, shown, store.ClaimID(claimNickname, key))
		switch {
		case err == nil:
			return subjects.NicknameAnswer{Nickname: shown}, nil
		case errors.Is(err, errMoved):
			try++
		case errors.Is(err, errPending) && pending < pendingTries && pause(ctx, pendingPause):
			pending++
		case errors.Is(err, errPending):
			return subjects.NicknameAnswer{}, subjects.Refuse(subjects.CodeBusy, "somebody is about to take this nickname; try again in a moment")
		case errors.Is(err, errTaken):
			return subjects.NicknameAnswer{}, subjects.Refuse(subjects.CodeNicknameTaken, "another account has this nickname")
		default:
			return subjects.NicknameAnswer{}, err
		}
	}
	return subjects.NicknameAnswer{}, subjects.Refuse(subjects.CodeBusy, "your account changes just now; try again")
}

// rename makes one attempt. Its order is what keeps names with one account: the account is
// read before the new name is claimed, and written only if it is still that version; the
// claim on the old name is read before that write, and removed only if it is still that one.
func (s *Service) rename(ctx context.Context, id, shown, name string) error {
	a, version, err := s.getAccount(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return subjects.Refuse(subjects.CodeUnauthenticated, "this account is no more")
	}
	if err != nil {
		return err
	}
	if a.Nickname == shown {
		return nil
	}
	old, err := a.nicknameClaim()
	if err != nil {
		return err
	}
	a.Nickname = shown
	if old == name { // the same name, written otherwise
		return s.putAccount(ctx, id, version, a)
	}
	c, oldVersion, err := s.getClaim(ctx, old)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	held := err == nil && c.Account == id
	if err := s.claim(ctx, name, id, true); err != nil {
		return err
	}
	if err := s.putAccount(ctx, id, version, a); err != nil {
		return err
	}
	s.log.Info("nickname changed", "user", id)
	if !held {
		return nil
	}
	// The nickname is changed, come what may: who wants the old name before this is done, or
	// if it is never done, takes it over.
	err = s.store.Delete(ctx, tableClaims, old, oldVersion.Next())
	if err != nil && !errors.Is(err, store.ErrStale) {
		s.log.Warn("old nickname not released; whoever wants it takes it over", "user", id, "err", err)
	}
	return nil
}

// putAccount writes an account over the version that was read. errMoved: there is another.
func (s *Service) putAccount(ctx context.Context, id string, version store.Version, a account) error {
	body, err := encode(a)
	if err != nil {
		return err
	}
	err = s.store.Put(ctx, tableAccounts, store.Document{ID: id, Version: version.Next(), Body: body})
	if errors.Is(err, store.ErrStale) {
		return errMoved
	}
	return err
}
