package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// flac reads the stream information, the first block of a FLAC file.
func flac(f file) (Info, error) {
	var start int64
	b, err := f.bytes(0, id3Header)
	if err != nil {
		return Info{}, err
	}
	if string(b[:3]) == "ID3" {
		start = id3Size(b)
	}
	b, err = f.bytes(start, 8+34)
	if err != nil {
		return Info{}, err
	}
	rate, samples, ok := streamInfo(b[4:])
	if !ok {
		return Info{}, fmt.Errorf("%w: a FLAC file without stream information", ErrFormat)
	}
	info := Info{Kind: "flac", Duration: span(samples, rate)}
	flacTags(f, start+4, &info)
	return info, nil
}

// streamInfo reads a metadata block that should be FLAC's stream information.
func streamInfo(b []byte) (rate, samples float64, ok bool) {
	if len(b) < 4+18 || b[0]&0x7f != 0 {
		return 0, 0, false
	}
	v := binary.BigEndian.Uint64(b[4+10:])
	return float64(v >> 44), float64(v & (1<<36 - 1)), v>>44 > 0
}

const (
	oggHeader = 27
	oggTail   = 64 << 10 // a page is no bigger than this
)

// ogg takes the rate from the first packet and the length from the last page.
func ogg(f file) (Info, error) {
	b, err := f.upTo(0, 512)
	if err != nil {
		return Info{}, err
	}
	if len(b) < oggHeader || len(b) < oggHeader+int(b[26]) {
		return Info{}, fmt.Errorf("%w: a broken Ogg page", ErrFormat)
	}
	serial := b[14:18]
	p := b[oggHeader+int(b[26]):]
	var rate, skip float64
	switch {
	case len(p) >= 16 && string(p[:7]) == "\x01vorbis":
		rate = float64(binary.LittleEndian.Uint32(p[12:]))
	case len(p) >= 12 && string(p[:8]) == "OpusHead":
		rate, skip = 48000, float64(binary.LittleEndian.Uint16(p[10:]))
	case len(p) >= 13+4+18 && string(p[:5]) == "\x7fFLAC":
		rate, _, _ = streamInfo(p[13:])
	}
	if rate == 0 {
		return Info{}, fmt.Errorf("%w: an Ogg file with a codec that is not Vorbis, Opus or FLAC", ErrFormat)
	}
	at := max(0, f.size-oggTail)
	tail, err := f.upTo(at, oggTail)
	if err != nil {
		return Info{}, err
	}
	for end := len(tail); ; {
		i := bytes.LastIndex(tail[:end], []byte("OggS"))
		if i < 0 {
			return Info{}, ErrNoLength
		}
		if i+oggHeader <= len(tail) && bytes.Equal(tail[i+14:i+18], serial) {
			if pos := int64(binary.LittleEndian.Uint64(tail[i+6:])); pos > 0 {
				info := Info{Kind: "ogg", Duration: span(float64(pos)-skip, rate)}
				oggTags(f, serial, &info)
				return info, nil
			}
		}
		end = i
	}
}
