package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }
func le16(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }

func cat(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p...)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func zeros(n int) []byte { return make([]byte, n) }

// mp3Frames makes n frames of MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes each.
func mp3Frames(n int) []byte {
	return bytes.Repeat(cat([]byte{0xff, 0xfb, 0x90, 0x00}, zeros(413)), n)
}

// id3 makes an ID3v2.4 tag of text frames, name and text in turn.
func id3(pairs ...string) []byte {
	var frames []byte
	for i := 0; i < len(pairs); i += 2 {
		text := "\x03" + pairs[i+1]
		frames = append(frames, cat(pairs[i], be32(len(text)), zeros(2), text)...)
	}
	n := len(frames)
	return cat("ID3\x04\x00\x00", []byte{byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}, frames)
}

func xing(frames int) []byte {
	f := mp3Frames(1)
	copy(f[36:], cat("Info", be32(1), be32(frames)))
	return f
}

func lameXing(frames, delay, padding int) []byte {
	f := mp3Frames(1)
	copy(f[36:], cat("Xing", be32(15), be32(frames), be32(0), zeros(100), be32(0), "LAME3.100", zeros(12),
		[]byte{byte(delay >> 4), byte(delay&15<<4 | padding>>8), byte(padding)}))
	return f
}

func wavFile(seconds int, before ...any) []byte {
	data := zeros(8000 * 2 * seconds)
	body := cat("WAVE", "fmt ", le32(16), le16(1), le16(1), le32(8000), le32(16000), le16(2), le16(16), cat(before...), "data", le32(len(data)), data)
	return cat("RIFF", le32(len(body)), body)
}

func infoList(title, artist string) []byte {
	b := cat("INFO", "INAM", le32(len(title)), title, zeros(len(title)&1), "IART", le32(len(artist)), artist, zeros(len(artist)&1))
	return cat("LIST", le32(len(b)), b)
}

func flacFile(rate, samples int, comments ...string) []byte {
	info := zeros(34)
	binary.BigEndian.PutUint64(info[10:], uint64(rate)<<44|1<<41|15<<36|uint64(samples))
	c := cat(le32(4), "test", le32(len(comments)))
	for _, x := range comments {
		c = cat(c, le32(len(x)), x)
	}
	return cat("fLaC", []byte{0, 0, 0, 34}, info, []byte{0x84, byte(len(c) >> 16), byte(len(c) >> 8), byte(len(c))}, c, zeros(64))
}

// oggPage makes a page with one packet.
func oggPage(serial, seq, flags int, pos int64, packet []byte) []byte {
	var lacing []byte
	for n := len(packet); ; n -= 255 {
		if n < 255 {
			lacing = append(lacing, byte(n))
			break
		}
		lacing = append(lacing, 255)
	}
	p := cat("OggS", []byte{0, byte(flags)}, binary.LittleEndian.AppendUint64(nil, uint64(pos)), le32(serial), le32(seq), zeros(4), []byte{byte(len(lacing))}, lacing, packet)
	var crc uint32
	for _, b := range p {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	binary.LittleEndian.PutUint32(p[22:], crc)
	return p
}

func comments(prefix string, list ...string) []byte {
	c := cat(prefix, le32(4), "test", le32(len(list)))
	for _, x := range list {
		c = cat(c, le32(len(x)), x)
	}
	return cat(c, []byte{1})
}

func opusFile(seconds int) []byte {
	head := cat("OpusHead", []byte{1, 2}, le16(312), le32(48000), le16(0), []byte{0})
	return cat(oggPage(7, 0, 2, 0, head), oggPage(7, 1, 0, 0, comments("OpusTags", "TITLE=Opus One", "ARTIST=Somebody")),
		oggPage(7, 2, 0, 48000, zeros(100)), oggPage(7, 3, 4, int64(seconds)*48000+312, zeros(100)))
}

func vorbisFile(seconds int) []byte {
	head := cat("\x01vorbis", le32(0), []byte{2}, le32(44100), zeros(12), []byte{0xb8, 1})
	return cat(oggPage(7, 0, 2, 0, head), oggPage(7, 1, 0, 0, comments("\x03vorbis", "title=Vorbis Two", "artist=Nobody")),
		oggPage(7, 2, 4, int64(seconds)*44100, zeros(100)))
}

func atom(name string, parts ...any) []byte {
	body := cat(parts...)
	return cat(be32(len(body)+8), name, body)
}

func mvhd(scale, length int) []byte {
	return atom("mvhd", zeros(12), be32(scale), be32(length), zeros(80))
}

func ilst(title, artist string) []byte {
	data := func(s string) []byte { return atom("data", be32(1), be32(0), s) }
	return atom("udta", atom("meta", zeros(4), atom("ilst", atom("\xa9nam", data(title)), atom("\xa9ART", data(artist)))))
}

func mp4File(parts ...any) []byte {
	return cat(atom("ftyp", "M4A ", be32(0), "isom"), cat(parts...))
}

func element(id []byte, parts ...any) []byte {
	body := cat(parts...)
	return cat(id, []byte{0x40 | byte(len(body)>>8), byte(len(body))}, body)
}

func webmFile(ms float64, title string) []byte {
	length := binary.BigEndian.AppendUint64(nil, math.Float64bits(ms))
	info := element([]byte{0x15, 0x49, 0xa9, 0x66}, element([]byte{0x2a, 0xd7, 0xb1}, []byte{0x0f, 0x42, 0x40}),
		element([]byte{0x44, 0x89}, length), element([]byte{0x7b, 0xa9}, title))
	return cat(element([]byte{0x1a, 0x45, 0xdf, 0xa3}, element([]byte{0x42, 0x82}, "webm")),
		[]byte{0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, element([]byte{0xec}, zeros(9)), info, zeros(40))
}

// samples are files of every kind with what should be found in them.
var samples = map[string]struct {
	data []byte
	want Info
}{
	"mp3 constant rate":  {mp3Frames(100), Info{"mp3", 2612 * time.Millisecond, "", ""}},
	"mp3 with tags":      {cat(id3("TIT2", "Grüße", "TPE1", "Wer"), mp3Frames(100)), Info{"mp3", 2612 * time.Millisecond, "Grüße", "Wer"}},
	"mp3 old tags":       {cat(mp3Frames(100), "TAG", "Old", zeros(27), "Timer", zeros(25), zeros(65)), Info{"mp3", 2612 * time.Millisecond, "Old", "Timer"}},
	"mp3 counted":        {cat(xing(7000), mp3Frames(2)), Info{"mp3", 182857 * time.Millisecond, "", ""}},
	"mp3 counted, LAME":  {cat(lameXing(1000, 1105, 1071), mp3Frames(2)), Info{"mp3", 26073 * time.Millisecond, "", ""}},
	"mp3 after padding":  {cat(id3("TIT2", "x"), zeros(1000), mp3Frames(50)), Info{"mp3", 1306 * time.Millisecond, "x", ""}},
	"wav":                {wavFile(3), Info{"wav", 3 * time.Second, "", ""}},
	"wav with texts":     {wavFile(2, infoList("Odd", "Even")), Info{"wav", 2 * time.Second, "Odd", "Even"}},
	"wav cut off":        {wavFile(4)[:16044], Info{"wav", time.Second, "", ""}},
	"flac":               {flacFile(44100, 441000), Info{"flac", 10 * time.Second, "", ""}},
	"flac with comments": {flacFile(48000, 72000, "TITLE=Loss Less", "ARTIST=A"), Info{"flac", 1500 * time.Millisecond, "Loss Less", "A"}},
	"opus":               {opusFile(12), Info{"ogg", 12 * time.Second, "Opus One", "Somebody"}},
	"vorbis":             {vorbisFile(9), Info{"ogg", 9 * time.Second, "Vorbis Two", "Nobody"}},
	"mp4":                {mp4File(atom("moov", mvhd(600, 3000)), atom("mdat", zeros(100))), Info{"mp4", 5 * time.Second, "", ""}},
	"mp4 movie last":     {mp4File(cat(be32(1), "mdat", zeros(4), be32(316), zeros(300)), atom("moov", mvhd(1000, 61500), ilst("Tail", "End"))), Info{"mp4", 61500 * time.Millisecond, "Tail", "End"}},
	"mp4 fragmented":     {mp4File(atom("moov", mvhd(1000, 0), atom("mvex", atom("mehd", zeros(4), be32(7000))))), Info{"mp4", 7 * time.Second, "", ""}},
	"webm":               {webmFile(42_500, "Reel"), Info{"webm", 42500 * time.Millisecond, "Reel", ""}},
}

func TestProbe(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			got, err := Probe(bytes.NewReader(s.data), int64(len(s.data)))
			if err != nil {
				t.Fatal(err)
			}
			if got != s.want {
				t.Errorf("got %+v, want %+v", got, s.want)
			}
		})
	}
}

func TestProbeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":              {nil, ErrFormat},
		"a page":               {[]byte("<!doctype html><html><body>no music</body></html>"), ErrFormat},
		"a picture":            {cat("\x89PNG\r\n\x1a\n", zeros(100)), ErrFormat},
		"tags alone":           {cat(id3("TIT2", "x"), zeros(100)), ErrFormat},
		"tags beyond the end":  {cat("ID3\x04\x00\x00\x7f\x7f\x7f\x7f", zeros(100)), ErrFormat},
		"wav without data":     {wavFile(0), ErrFormat},
		"flac of a stream":     {flacFile(44100, 0), ErrNoLength},
		"mp4 without movie":    {mp4File(atom("mdat", zeros(100))), ErrNoLength},
		"mp4 of a stream":      {mp4File(atom("moov", mvhd(1000, 0))), ErrNoLength},
		"mp4 with a bad box":   {mp4File(be32(3), "moov"), ErrFormat},
		"webm of a stream":     {webmFile(0, ""), ErrNoLength},
		"ogg of something":     {oggPage(1, 0, 2, 0, []byte("fishead\x00 and more")), ErrFormat},
		"absurd length":        {webmFile(1e15, ""), ErrFormat},
		"not a number":         {webmFile(math.NaN(), ""), ErrNoLength},
		"webm past its parent": {webmPastParent, ErrFormat},
		"mp4 past its parent":  {mp4File(be32(16), "moov", be32(1), "mvex", be32(0), be32(16)), ErrFormat},
	} {
		if got, err := Probe(bytes.NewReader(c.data), int64(len(c.data))); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

// webmPastParent is a length whose header begins inside the segment information and ends
// after it.
var webmPastParent = cat("\x1a\x45\xdf\xa3\x80", "\x18\x53\x80\x67\x88", "\x15\x49\xa9\x66\x82", "\x44\x89", "\x84", zeros(14))

func TestReadsOfLessThanNothingAreRefused(t *testing.T) {
	f := file{r: bytes.NewReader(zeros(10)), size: 10}
	for _, c := range []struct {
		at int64
		n  int
	}{{0, -1}, {10, -5}, {-1, 1}, {11, 1}} {
		if b, err := f.upTo(c.at, c.n); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes at %d: %v, %v", c.n, c.at, b, err)
		}
		if b, err := f.bytes(c.at, c.n); !errors.Is(err, ErrFormat) {
			t.Errorf("exactly %d bytes at %d: %v, %v", c.n, c.at, b, err)
		}
	}
}

type failing struct{ after int64 }

var errBroken = errors.New("line broken")

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at >= f.after {
		return 0, errBroken
	}
	return copy(p, samples["mp4 movie last"].data[at:]), nil
}

func TestProbePassesReadErrorsOn(t *testing.T) {
	for _, after := range []int64{0, 20} {
		if _, err := Probe(failing{after}, 1000); !errors.Is(err, errBroken) {
			t.Errorf("after %d: %v", after, err)
		}
	}
}

func TestNestedBoxesAreBounded(t *testing.T) {
	deep := bytes.Repeat(cat(be32(1<<30), "moov"), 200_000)
	b := mp4File(cat(be32(len(deep)+8+108), "moov", mvhd(1000, 1000), deep))
	got, err := Probe(bytes.NewReader(b), int64(len(b)))
	if err != nil || got.Duration != time.Second || got.Title != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// thrifty counts what is read.
type thrifty struct {
	io.ReaderAt
	bytes int
}

func (r *thrifty) ReadAt(p []byte, at int64) (int, error) {
	r.bytes += len(p)
	return r.ReaderAt.ReadAt(p, at)
}

func TestProbeReadsLittle(t *testing.T) {
	big := cat(be32(50<<20+8), "mdat", zeros(50<<20))
	b := mp4File(big, atom("moov", mvhd(1000, 1000), ilst("T", "A")))
	r := &thrifty{ReaderAt: bytes.NewReader(b)}
	if _, err := Probe(r, int64(len(b))); err != nil || r.bytes > 4096 {
		t.Errorf("%d bytes read, %v", r.bytes, err)
	}
}

func FuzzProbe(f *testing.F) {
	for _, s := range samples {
		if len(s.data) < 8<<10 {
			f.Add(s.data)
		}
	}
	f.Add(mp3Frames(3))
	f.Add(webmPastParent)
	f.Add(cat("RF64", be32(-1), "WAVE", "ds64", le32(16), zeros(16), "data", be32(-1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Probe(bytes.NewReader(b), int64(len(b)))
		switch {
		case err == nil && (got.Duration <= 0 || got.Duration > maxDuration || got.Kind == ""):
			t.Errorf("%+v", got)
		case err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrNoLength):
			t.Errorf("an error of no known kind: %v", err)
		case err != nil && strings.Contains(err.Error(), "%!"):
			t.Errorf("%v", err)
		}
	})
}
