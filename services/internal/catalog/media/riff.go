package media

import (
	"encoding/binary"
	"fmt"
	"strings"
)

const (
	riffChunks = 64       // chunks looked at before giving up
	riffInfo   = 16 << 10 // bytes read of a list of texts
)

// wav walks the chunks of a WAV file.
func wav(f file) (Info, error) {
	var (
		info     = Info{Kind: "wav"}
		perSec   float64
		dataSize int64
		big      int64 // size of the data in an RF64 file
		at       = int64(12)
	)
	for range riffChunks {
		h, err := f.upTo(at, 8)
		if err != nil {
			return Info{}, err
		}
		if len(h) < 8 {
			break
		}
		size := int64(binary.LittleEndian.Uint32(h[4:]))
		at += 8
		switch string(h[:4]) {
		case "ds64":
			b, err := f.bytes(at, 16)
			if err != nil {
				return Info{}, err
			}
			big = int64(binary.LittleEndian.Uint64(b[8:]))
		case "fmt ":
			b, err := f.bytes(at, 16)
			if err != nil {
				return Info{}, err
			}
			perSec = float64(binary.LittleEndian.Uint32(b[8:]))
		case "data":
			if size == 0xffffffff && big > 0 {
				size = big
			}
			dataSize = min(size, f.size-at) // writers that were cut off leave too much here
			if dataSize <= 0 {
				dataSize = f.size - at
			}
		case "LIST":
			b, err := f.upTo(at, int(min(size, riffInfo)))
			if err != nil {
				return Info{}, err
			}
			riffTexts(b, &info)
		}
		if at += size + size&1; at < 0 || at >= f.size {
			break
		}
	}
	if perSec == 0 || dataSize <= 0 {
		return Info{}, fmt.Errorf("%w: a WAV file without sound", ErrFormat)
	}
	info.Duration = span(float64(dataSize), perSec)
	return info, nil
}

// riffTexts reads title and artist from a list of texts.
func riffTexts(b []byte, info *Info) {
	if len(b) < 4 || string(b[:4]) != "INFO" {
		return
	}
	for b = b[4:]; len(b) >= 8; {
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		key := string(b[:4])
		b = b[8:]
		if size > int64(len(b)) {
			return
		}
		text := strings.TrimRight(string(b[:size]), "\x00")
		switch key {
		case "INAM":
			info.Title = text
		case "IART":
			info.Artist = text
		}
		b = b[min(int64(len(b)), size+size&1):]
	}
}
