package profile

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tuttihq/tutti/services/internal/store"
	"github.com/tuttihq/tutti/subjects"
)

// updateTries bounds how often an update that names no rev is written anew because
// others were quicker.
const updateTries = 8

// update changes the asker's own profile.
func (s *Service) update(ctx context.Context, req subjects.ProfileUpdateRequest) (subjects.Profile, error) {
	if err := subjects.CheckID(subjects.PrefixUser, req.UserID); err != nil {
		return subjects.Profile{}, subjects.RefuseField("userId", "this is not a user's id")
	}
	change, err := changeOf(req)
	if err != nil {
		return subjects.Profile{}, err
	}
	moved := subjects.Refuse(subjects.CodeConflict, "the profile changed meanwhile; read it again")
	for range updateTries {
		d, version, err := s.find(ctx, req.UserID, true)
		if err != nil {
			return subjects.Profile{}, err
		}
		if req.Rev != 0 && req.Rev != version.Rev {
			return subjects.Profile{}, moved
		}
		changed := change(d)
		if changed == d {
			return d.profile(req.UserID, version), nil
		}
		doc, err := changed.stored(req.UserID, version.Next())
		if err != nil {
			return subjects.Profile{}, err
		}
		err = s.store.Put(ctx, table, doc)
		if err == nil {
			return changed.profile(req.UserID, doc.Version), nil
		}
		if !errors.Is(err, store.ErrStale) {
			return subjects.Profile{}, err
		}
	}
	return subjects.Profile{}, moved
}

// changeOf checks a request and gives what it does to a profile.
func changeOf(req subjects.ProfileUpdateRequest) (func(document) document, error) {
	var bio, avatar string
	var err error
	if req.Bio != nil {
		if bio, err = normaliseBio(*req.Bio); err != nil {
			return nil, err
		}
	}
	if req.AvatarURL != nil {
		if avatar, err = normaliseAvatar(*req.AvatarURL); err != nil {
			return nil, err
		}
	}
	for _, v := range []struct {
		field string
		to    *subjects.Visibility
	}{{"relations", req.Relations}, {"heard", req.Heard}} {
		if v.to != nil && !slices.Contains(subjects.Visibilities(), *v.to) {
			return nil, subjects.RefuseField(v.field, "this is public, followers or private")
		}
	}
	return func(d document) document {
		if req.Relations != nil && *req.Relations != d.relations() {
			d.Relations = *req.Relations
		}
		if req.Heard != nil && *req.Heard != d.heard() {
			d.Heard = *req.Heard
		}
		if req.Bio != nil {
			d.Bio = bio
		}
		if req.AvatarURL != nil {
			d.AvatarURL = avatar
		}
		return d
	}, nil
}

// normaliseBio trims a text, makes it NFC and its line ends "\n".
func normaliseBio(s string) (string, error) {
	refuse := subjects.RefuseField("bio", "a bio has at most %d characters and no control characters", subjects.MaxBio)
	if len(s) > 8*utf8.UTFMax*subjects.MaxBio || !utf8.ValidString(s) {
		return "", refuse
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s = strings.TrimSpace(norm.NFC.String(s))
	if utf8.RuneCountInString(s) > subjects.MaxBio {
		return "", refuse
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' {
			return "", refuse
		}
	}
	return s, nil
}

// normaliseAvatar checks the address of a picture. Nobody on the server ever opens it.
func normaliseAvatar(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || len(s) > subjects.MaxAvatarURL || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return "", subjects.RefuseField("avatarUrl", "a picture's address is https://… or http://…, at most %d bytes, without a user name", subjects.MaxAvatarURL)
	}
	if out := u.String(); len(out) <= subjects.MaxAvatarURL {
		return out, nil
	}
	return "", subjects.RefuseField("avatarUrl", "the address is longer than %d bytes when it is escaped", subjects.MaxAvatarURL)
}
