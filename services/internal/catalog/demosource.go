package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/tuttihq/tutti/services/internal/catalog/demo"
)

const demoPrefix = "demo:"

// demoSource offers the pieces of package demo.
type demoSource struct {
	library *demo.Library
	path    string
}

// Local implements Local.
func (s *demoSource) Local() {}

func (s *demoSource) Match(ref string) (string, bool) {
	if len(ref) <= len(demoPrefix) || !strings.EqualFold(ref[:len(demoPrefix)], demoPrefix) {
		return "", false
	}
	id := demoPrefix + strings.ToLower(ref[len(demoPrefix):])
	return id, validID(id)
}

func (s *demoSource) Resolve(_ context.Context, ref string) (Track, error) {
	id, ok := s.Match(ref)
	if !ok {
		return Track{}, ErrUnknown
	}
	p, ok := s.library.Piece(id[len(demoPrefix):])
	if !ok {
		return Track{}, fmt.Errorf("%w: there is no such demo track", ErrUnknown)
	}
	return s.track(p), nil
}

func (s *demoSource) List(_ context.Context, query string, limit int) ([]Track, error) {
	query = strings.ToLower(strings.TrimSpace(query))
	var out []Track
	for _, p := range s.library.Pieces() {
		if len(out) >= limit {
			break
		}
		t := s.track(p)
		if strings.Contains(strings.ToLower(t.Title+"\n"+t.Artist+"\n"+t.ID), query) {
			out = append(out, t)
		}
	}
	return out, nil
}

func (s *demoSource) track(p demo.Piece) Track {
	return Track{
		ID:         demoPrefix + p.Name,
		Provider:   "demo",
		Title:      p.Title,
		Artist:     p.Artist,
		DurationMs: p.Duration.Milliseconds(),
		URL:        s.path + "/" + p.Name + ".wav",
		ArtworkURL: s.path + "/" + p.Name + ".svg",
	}
}
