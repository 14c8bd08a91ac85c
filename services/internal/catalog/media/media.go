package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

var (
	// ErrFormat means that the file is none of the kinds this package reads, or is broken where
	// its length should stand.
	ErrFormat = errors.New("media: not a known kind of music or video file")
	// ErrNoLength means that the file is of a known kind but does not state its length, as with
	// a live stream.
	ErrNoLength = errors.New("media: the file does not state how long it is")
)

// Info is what was found. Only Kind and Duration are always there.
type Info struct {
	Kind     string        // "mp3", "wav", "flac", "ogg", "mp4" or "webm"
	Duration time.Duration // above zero
	Title    string        // "" if unknown
	Artist   string        // "" if unknown
}

// maxDuration keeps sums of durations far from overflow.
const maxDuration = 30 * 24 * time.Hour

// Probe reads the file r of size bytes. Errors are ErrFormat, ErrNoLength, or what r
// returned, wrapped; r is not used after Probe returns.
func Probe(r io.ReaderAt, size int64) (Info, error) {
	head := make([]byte, 16)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		if err != nil && !errors.Is(err, io.EOF) {
			return Info{}, fmt.Errorf("media: %w", err)
		}
		return Info{}, ErrFormat
	}
	f := file{r: r, size: size}
	var (
		info Info
		err  error
	)
	switch kind := sniff(f, head); kind {
	case "mp3":
		info, err = mp3(f)
	case "wav":
		info, err = wav(f)
	case "flac":
		info, err = flac(f)
	case "ogg":
		info, err = ogg(f)
	case "mp4":
		info, err = mp4(f)
	case "webm":
		info, err = webm(f)
	default:
		return Info{}, ErrFormat
	}
	if err != nil {
		return Info{}, err
	}
	switch {
	case info.Duration <= 0:
		return Info{}, ErrNoLength
	case info.Duration > maxDuration:
		return Info{}, fmt.Errorf("%w: it claims to last %v", ErrFormat, info.Duration)
	}
	readTags(f, &info)
	return info, nil
}

// sniff tells the kind of file by its first bytes; "" if none.
func sniff(f file, head []byte) string {
	switch {
	case string(head[:3]) == "ID3":
		next, err := f.bytes(id3Size(head), 4)
		if err == nil && string(next) == "fLaC" {
			return "flac"
		}
		return "mp3"
	case (string(head[:4]) == "RIFF" || string(head[:4]) == "RF64") && string(head[8:12]) == "WAVE":
		return "wav"
	case string(head[:4]) == "fLaC":
		return "flac"
	case string(head[:4]) == "OggS":
		return "ogg"
	case string(head[4:8]) == "ftyp":
		return "mp4"
	case binary.BigEndian.Uint32(head) == ebmlMagic:
		return "webm"
	}
	if _, ok := parseFrame(head); ok {
		return "mp3"
	}
	return ""
}

// file is the file being probed.
type file struct {
	r    io.ReaderAt
	size int64
}

// bytes reads n bytes at an offset. A file that ends before is ErrFormat.
func (f file) bytes(at int64, n int) ([]byte, error) {
	b, err := f.upTo(at, n)
	if err != nil {
		return nil, err
	}
	if len(b) < n {
		return nil, fmt.Errorf("%w: it ends too soon", ErrFormat)
	}
	return b, nil
}

// upTo reads n bytes at an offset, or fewer at the file's end. An offset outside the file
// and an n below zero are ErrFormat: both come from what a file says of itself.
func (f file) upTo(at int64, n int) ([]byte, error) {
	if n < 0 || at < 0 || at > f.size {
		return nil, fmt.Errorf("%w: it points outside itself", ErrFormat)
	}
	b := make([]byte, min(int64(n), f.size-at))
	k, err := f.r.ReadAt(b, at)
	if k < len(b) && err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("media: %w", err)
	}
	return b[:k], nil
}

// span is the time that n units last at a rate per second; 0 if that is absurd.
func span(n, rate float64) time.Duration {
	if !(n > 0) || !(rate > 0) {
		return 0
	}
	s := n / rate
	if s > 2*maxDuration.Seconds() {
		return 2 * maxDuration
	}
	return time.Duration(s*1e9 + 0.5).Round(time.Millisecond)
}
