package media

import (
	"errors"
	"io"

	"github.com/dhowden/tag"
)

// readTags fills in title and artist from the tags of an MP3 file. Like all tags they
// are a courtesy: whatever goes wrong leaves them as they are. The reader of tags meets
// files from anywhere, and a panic in it is one more way of having none.
func readTags(f file, info *Info) {
	if info.Kind == "mp3" {
		defer func() { _ = recover() }()
		use(info)(tag.ReadFrom(io.NewSectionReader(f.r, 0, f.size)))
	}
}

// readMovieTags does the same for the movie box of an MP4 file, so that the sound and
// pictures before it are not looked at.
func readMovieTags(f file, movie box, info *Info) {
	defer func() { _ = recover() }()
	r := &counted{ReadSeeker: io.NewSectionReader(f.r, movie.from, movie.to-movie.from), left: movieReads}
	use(info)(tag.ReadAtoms(r))
}

func use(info *Info) func(tag.Metadata, error) {
	return func(m tag.Metadata, err error) {
		if err != nil || m == nil {
			return
		}
		info.Title, info.Artist = m.Title(), m.Artist()
		if info.Artist == "" {
			info.Artist = m.AlbumArtist()
		}
	}
}

// movieReads bounds the reads in one movie box, and with them how deep boxes in boxes
// can take the reader of tags, which calls itself for each. A movie that needs more has
// no tags.
const movieReads = 4096

var errTooMany = errors.New("media: too many boxes")

// counted is a reader that ends after so many reads.
type counted struct {
	io.ReadSeeker
	left int
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errTooMany
	}
	c.left--
	return c.ReadSeeker.Read(p)
}
