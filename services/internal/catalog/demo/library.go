package demo

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Artist stands on every piece.
const Artist = "Tutti Ensemble"

// ErrUnknown is returned for a name that is no piece. It is an fs.ErrNotExist, so that
// file servers answer "not found".
var ErrUnknown = fmt.Errorf("demo: no such piece: %w", fs.ErrNotExist)

// written is the modification time of all files here: a piece changes only with the
// program, and its bytes do not depend on when it was rendered.
var written = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// Piece describes one piece of music.
type Piece struct {
	Name     string        // in ids and file names: [a-z0-9-]
	Title    string        // as shown
	Artist   string        // Artist
	Mood     string        // a few words about its character
	Tempo    int           // beats per minute
	Duration time.Duration // exact, a whole number of milliseconds
	Size     int64         // bytes of its WAV file
}

// Library serves the pieces as files. It is safe for use by many goroutines at once.
type Library struct {
	pieces []Piece
	songs  map[string]*song

	rendering sync.Mutex // one at a time: a rendering takes tens of megabytes
	cache     *lru.Cache[string, []byte]
}

// NewLibrary returns a Library that keeps up to cached rendered pieces, at least one,
// of about 5 MB each; beyond that the one unused for longest goes and is rendered again
// when asked for.
func NewLibrary(cached int) *Library {
	cache, err := lru.New[string, []byte](max(1, cached))
	if err != nil {
		panic("demo: " + err.Error()) // only for a size below one
	}
	l := &Library{songs: make(map[string]*song), cache: cache}
	for _, s := range songs() {
		frames := s.frames()
		l.songs[s.name] = s
		l.pieces = append(l.pieces, Piece{
			Name: s.name, Title: s.title, Artist: Artist, Mood: s.mood, Tempo: int(s.bpm),
			Duration: time.Duration(frames/(SampleRate/1000)) * time.Millisecond,
			Size:     int64(wavSize(frames)),
		})
	}
	return l
}

// Pieces returns all pieces, always in the same order.
func (l *Library) Pieces() []Piece { return append([]Piece(nil), l.pieces...) }

// Piece returns the piece of that name.
func (l *Library) Piece(name string) (Piece, bool) {
	for _, p := range l.pieces {
		if p.Name == name {
			return p, true
		}
	}
	return Piece{}, false
}

// Open returns a piece as a WAV file (audio/wav: 16-bit stereo at SampleRate), with its
// modification time and size for conditional and range requests. The first call for a
// piece renders it, which takes a fraction of a second; callers for pieces that are not
// in memory wait for each other. It returns ErrUnknown for a name that is no piece.
func (l *Library) Open(name string) (io.ReadSeeker, time.Time, int64, error) {
	s, ok := l.songs[name]
	if !ok {
		return nil, time.Time{}, 0, ErrUnknown
	}
	b, ok := l.cache.Get(name)
	if !ok {
		b = l.render(s)
	}
	return bytes.NewReader(b), written, int64(len(b)), nil
}

func (l *Library) render(s *song) []byte {
	l.rendering.Lock()
	defer l.rendering.Unlock()
	if b, ok := l.cache.Get(s.name); ok {
		return b
	}
	b := wav(render(s))
	l.cache.Add(s.name, b)
	return b
}

// Artwork returns the picture of a piece as an SVG file (image/svg+xml, 512 by 512, no
// scripts, nothing from elsewhere), with its modification time and size. It returns
// ErrUnknown for a name that is no piece.
func (l *Library) Artwork(name string) (io.ReadSeeker, time.Time, int64, error) {
	s, ok := l.songs[name]
	if !ok {
		return nil, time.Time{}, 0, ErrUnknown
	}
	b := s.draw()
	return bytes.NewReader(b), written, int64(len(b)), nil
}
