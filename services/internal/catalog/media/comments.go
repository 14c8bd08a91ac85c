package media

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// FLAC and Ogg hold their tags as a list of comments, NAME=value, which is read here: the
// reader of tags that serves the other kinds sets memory aside for whatever size a picture
// in such a list claims to have.
const (
	commentBytes  = 256 << 10 // read of a list; what stands after that is not seen
	commentBlocks = 64        // blocks or pages looked at before giving up
)

// readComments fills in title and artist from a list of comments. What is broken or cut
// off ends the list.
func readComments(b []byte, info *Info) {
	next := func() (string, bool) {
		if len(b) < 4 {
			return "", false
		}
		n := uint64(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > uint64(len(b)) {
			return "", false
		}
		text := string(b[:n])
		b = b[n:]
		return text, true
	}
	if _, ok := next(); !ok || len(b) < 4 { // the writer's name
		return
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	found := map[string]string{}
	for ; count > 0; count-- {
		text, ok := next()
		if !ok {
			break
		}
		name, value, _ := strings.Cut(text, "=")
		switch name = strings.ToUpper(name); name {
		case "TITLE", "ARTIST", "PERFORMER", "ALBUMARTIST":
			if found[name] == "" {
				found[name] = value
			}
		}
	}
	info.Title = found["TITLE"]
	for _, name := range [...]string{"ARTIST", "PERFORMER", "ALBUMARTIST"} {
		if info.Artist = found[name]; info.Artist != "" {
			return
		}
	}
}

// flacTags reads the comments among the blocks that begin at an offset.
func flacTags(f file, at int64, info *Info) {
	for range commentBlocks {
		h, err := f.bytes(at, 4)
		if err != nil {
			return
		}
		size := int64(h[1])<<16 | int64(h[2])<<8 | int64(h[3])
		if h[0]&0x7f == 4 {
			if b, err := f.upTo(at+4, int(min(size, commentBytes))); err == nil {
				readComments(b, info)
			}
			return
		}
		if h[0]&0x80 != 0 { // the last
			return
		}
		at += 4 + size
	}
}

// oggTags reads the second packet of a stream, which is the comments.
func oggTags(f file, serial []byte, info *Info) {
	var (
		at      int64
		packet  []byte
		packets int // that have ended
	)
	for range commentBlocks {
		h, err := f.upTo(at, oggHeader+255)
		if err != nil || len(h) < oggHeader || string(h[:4]) != "OggS" || len(h) < oggHeader+int(h[26]) {
			return
		}
		lacing := h[oggHeader : oggHeader+int(h[26])]
		at += int64(oggHeader + len(lacing))
		ours := bytes.Equal(h[14:18], serial)
		from, size := int64(0), int64(0) // of what this page has of the packet
		whole := false
		for _, n := range lacing {
			if ours && packets == 1 {
				if size == 0 {
					from = at
				}
				size += int64(n)
			}
			at += int64(n)
			if ours && n < 255 {
				if packets++; packets == 2 {
					whole = true
				}
			}
		}
		b, err := f.upTo(from, int(min(size, commentBytes-int64(len(packet)))))
		if err != nil {
			return
		}
		if packet = append(packet, b...); whole || len(packet) == commentBytes {
			break
		}
	}
	for _, prefix := range [...]string{"\x03vorbis", "OpusTags"} {
		if list, ok := strings.CutPrefix(string(packet), prefix); ok {
			readComments([]byte(list), info)
			return
		}
	}
	if len(packet) > 4 && packet[0]&0x7f == 4 { // FLAC's block
		readComments(packet[4:], info)
	}
}
