package profile

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// search finds people by the beginning of their nickname.
func (s *Service) search(ctx context.Context, req subjects.PeopleRequest) (subjects.PeoplePage, error) {
	out := subjects.PeoplePage{Profiles: []subjects.Profile{}}
	limit, err := pageLimit(req.Limit)
	if err != nil {
		return out, err
	}
	refuse := subjects.RefuseField("prefix", "say how the nickname begins: 1 to %d characters", subjects.MaxNickname)
	if !utf8.ValidString(req.Prefix) || utf8.RuneCountInString(req.Prefix) > subjects.MaxNickname {
		return out, refuse
	}
	key := nameKey(req.Prefix)
	if key == "" {
		return out, refuse
	}
	page, err := s.store.Find(ctx, table, store.Query{Index: byName, Prefix: indexed(key), Limit: limit, Cursor: req.Cursor})
	if errors.Is(err, store.ErrInvalid) && req.Cursor != "" {
		return out, badCursor()
	}
	if err != nil {
		return out, err
	}
	for _, doc := range page.Documents {
		var d document
		if err := doc.Decode(&d); err != nil {
			return out, err
		}
		if strings.HasPrefix(d.NicknameKey, key) {
			out.Profiles = append(out.Profiles, d.profile(doc.ID, doc.Version))
		}
	}
	out.Next = page.Next
	return out, nil
}

// indexed gives as much of a key's beginning as an index sees, in whole characters.
func indexed(key string) string {
	if len(key) <= store.MaxIndexString {
		return key
	}
	end := store.MaxIndexString
	for !utf8.RuneStart(key[end]) {
		end--
	}
	return key[:end]
}
