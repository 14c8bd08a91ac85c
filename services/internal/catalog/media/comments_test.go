package media

import (
	"bytes"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
	"time"
)

// picture is a picture as FLAC and Vorbis comments hold it, of a size that it does not
// have.
func picture(size int) []byte {
	return cat(be32(3), be32(9), "image/png", be32(0), be32(1), be32(1), be32(24), be32(0), be32(size), zeros(16))
}

func flacBlock(kind byte, body []byte) []byte { return cat(be32(int(kind)<<24|len(body)), body) }

// flacBlocks is a FLAC file of 10 s with these blocks after the stream information.
func flacBlocks(blocks ...[]byte) []byte {
	b := flacFile(44100, 441000)
	b[4] = 0 // not the last block
	return cat(b[:8+34], cat(bytes.Join(blocks, nil)), flacBlock(0x81, nil))
}

// A picture that claims to be large must not make the server set memory aside for it.
func TestPicturesAreNotRead(t *testing.T) {
	list := comments("", "METADATA_BLOCK_PICTURE="+base64.StdEncoding.EncodeToString(picture(1<<30)), "TITLE=Small")
	head := cat("OpusHead", []byte{1, 2}, le16(312), le32(48000), le16(0), []byte{0})
	for name, c := range map[string]struct {
		data  []byte
		title string
	}{
		"flac, a block":   {flacBlocks(flacBlock(6, picture(1<<30)), flacBlock(4, comments("", "TITLE=Small"))), "Small"},
		"flac, a comment": {flacBlocks(flacBlock(4, list)), "Small"},
		"opus, a comment": {cat(oggPage(7, 0, 2, 0, head), oggPage(7, 1, 0, 0, cat("OpusTags", list)), oggPage(7, 2, 4, 480312, zeros(100))), "Small"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := Probe(bytes.NewReader(c.data), int64(len(c.data)))
		runtime.ReadMemStats(&after)
		if err != nil || got.Duration != 10*time.Second || got.Title != c.title {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d MB set aside for a file of %d bytes", name, n>>20, len(c.data))
		}
	}
}

func TestCommentsAcrossPages(t *testing.T) {
	head := cat("OpusHead", []byte{1, 2}, le16(312), le32(48000), le16(0), []byte{0})
	packet := comments("OpusTags", "COMMENT="+strings.Repeat("x", 600), "title=Far", "PERFORMER=Player", "ARTIST=", "ALBUMARTIST=Group")
	// The packet's first 510 bytes are on a page of their own, whose lacing leaves it open.
	first := oggPage(7, 1, 0, -1, packet[:510])
	first[26]-- // without the closing zero
	first = cat(first[:29], first[30:])
	data := cat(oggPage(7, 0, 2, 0, head), oggPage(9, 0, 2, 0, []byte("another stream")), first, oggPage(7, 2, 1, 0, packet[510:]), oggPage(7, 3, 4, 480312, zeros(9)))
	got, err := Probe(bytes.NewReader(data), int64(len(data)))
	if err != nil || got.Title != "Far" || got.Artist != "Player" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBrokenCommentsAreNone(t *testing.T) {
	good := comments("", "TITLE=T")
	for name, b := range map[string][]byte{
		"nothing": nil, "no list": good[:8], "cut": good[:14], "a vendor beyond the end": cat(le32(-1), "x"),
		"a comment beyond the end": cat(le32(0), le32(1), le32(-1), "TITLE=T"), "no name": comments("", "TITLE"), "none": comments(""),
	} {
		var info Info
		readComments(b, &info)
		if info != (Info{}) {
			t.Errorf("%s: %+v", name, info)
		}
	}
}
