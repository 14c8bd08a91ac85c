package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// documentAnswer is the answer to GET /v1/playlists/{id} and GET /v1/chats/{id}, and part
// of that to GET /v1/rooms/{id}.
type documentAnswer struct {
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	// At is the time of that revision.
	At int64 `json:"at"`
	// ServerTime is the present.
	ServerTime int64 `json:"serverTime"`
	// Hash is that of State's canonical JSON.
	Hash  string          `json:"hash"`
	State json.RawMessage `json:"state"`
	// You is what the state says about the caller; absent without a token.
	You json.RawMessage `json:"you,omitempty"`
}

// show calls f with what somebody may see; follower says that they do because they follow
// its host.
func show[S any](ctx context.Context, s *Server, k *kind[S], who, id string, f func(v View[S], follower bool) error) error {
	if !k.is(id) {
		return k.missing()
	}
	if err := k.reached(ctx, who, id); err != nil {
		return err
	}
	host, err := k.hostOf(ctx, id, who)
	if err != nil {
		return err
	}
	if host != "" {
		ok, err := s.follows(ctx, who, host)
		if err != nil {
			return err
		}
		if !ok {
			return k.missing()
		}
	}
	return k.views.View(ctx, id, func(v View[S]) error {
		follower := host != "" && k.host(v.State) == host && v.Unknown == nil
		if !follower {
			if err := k.visible(v, who); err != nil {
				return err
			}
		}
		return f(v, follower)
	})
}

// document reads one of a kind as its log's head has it.
func document[S any](k *kind[S]) func(*request) error {
	return func(r *request) error {
		var out documentAnswer
		if err := readDocument(r, k, &out, func(View[S]) {}); err != nil {
			return err
		}
		same, err := r.current(&out)
		if err != nil || same {
			return err
		}
		return r.json(http.StatusOK, out)
	}
}

// readDocument fills in all but the hash; more is called with the view.
func readDocument[S any](r *request, k *kind[S], out *documentAnswer, more func(View[S])) error {
	out.ID = r.Params("id")
	return show(r.ctx, r.srv, k, r.who.UserID, out.ID, func(v View[S], follower bool) error {
		out.Epoch, out.Rev, out.At = v.Epoch, v.Rev, v.At
		out.ServerTime = max(at(r.now()), v.At)
		var err error
		if r.who.UserID != "" {
			if out.You, err = json.Marshal(k.you(v.State, r.who.UserID, out.ServerTime, follower)); err != nil {
				return err
			}
		}
		out.State, err = json.Marshal(k.document(v.State))
		more(v)
		return err
	})
}

// current sets the headers of an answer and reports whether the caller has it already,
// which is then the answer; otherwise it fills in the hash.
func (r *request) current(a *documentAnswer) (bool, error) {
	tag := documentTag(a)
	r.Set(fiber.HeaderETag, tag)
	r.Set(fiber.HeaderCacheControl, "private, no-cache")
	r.Vary(fiber.HeaderAuthorization)
	r.Set(headerServerTime, strconv.FormatInt(a.ServerTime, 10))
	if matches(r.Get(fiber.HeaderIfNoneMatch), tag) {
		r.Status(http.StatusNotModified)
		return true, nil
	}
	hash, err := r.srv.hashOf(r.route, a)
	a.Hash = hash
	return false, err
}

// documentTag is weak: two answers with one tag differ in the time they tell.
func documentTag(a *documentAnswer) string {
	if a.You == nil {
		return fmt.Sprintf(`W/"%d-%d"`, a.Epoch, a.Rev)
	}
	sum := sha256.Sum256(a.You)
	return fmt.Sprintf(`W/"%d-%d-%s"`, a.Epoch, a.Rev, hex.EncodeToString(sum[:6]))
}

// matches reports whether an If-None-Match header names the tag, comparing weakly.
func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimSpace(t); t == "*" || t != "" && strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// documentKey names a document among the remembered hashes: a chat has its room's id.
type documentKey struct{ route, id string }

// documentHash is the hash of a document at a revision.
type documentHash struct {
	epoch, rev uint64
	hash       string
}

// hashOf computes the document's hash once for each revision.
func (s *Server) hashOf(route string, a *documentAnswer) (string, error) {
	key := documentKey{route, a.ID}
	if h, ok := s.hashes.Get(key); ok && h.epoch == a.Epoch && h.rev == a.Rev {
		return h.hash, nil
	}
	hash, err := subjects.Hash(a.State)
	if err != nil {
		return "", err
	}
	s.hashes.Add(key, documentHash{a.Epoch, a.Rev, hash})
	return hash, nil
}
