package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPiecesAreDescribed(t *testing.T) {
	l := NewLibrary(1)
	name := regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`)
	seen := map[string]bool{}
	if n := len(l.Pieces()); n < 6 {
		t.Fatalf("%d pieces", n)
	}
	for _, p := range l.Pieces() {
		if !name.MatchString(p.Name) || seen[p.Name] {
			t.Errorf("name %q", p.Name)
		}
		seen[p.Name] = true
		if p.Title == "" || p.Artist != Artist || p.Mood == "" || p.Tempo < 40 {
			t.Errorf("%s is not described: %+v", p.Name, p)
		}
		if p.Duration < 20*time.Second || p.Duration > 45*time.Second {
			t.Errorf("%s lasts %v", p.Name, p.Duration)
		}
		if p.Size > 6<<20 {
			t.Errorf("%s has %d bytes", p.Name, p.Size)
		}
		if got, ok := l.Piece(p.Name); !ok || got != p {
			t.Errorf("Piece(%q) = %+v, %v", p.Name, got, ok)
		}
	}
}

// TestPiecesSound renders every piece and listens to it, as far as a test can.
func TestPiecesSound(t *testing.T) {
	if testing.Short() {
		t.Skip("renders every piece and looks at each sample")
	}
	hashes := map[string]string{}
	for _, s := range songs() {
		t.Run(s.name, func(t *testing.T) {
			left, right := render(s)
			b := wav(left, right)
			sum := sha256.Sum256(b)
			hashes[s.name] = hex.EncodeToString(sum[:8])
			checkHeader(t, b, s)
			checkLoudness(t, left, right)
			checkEnds(t, left, right)
			checkFirstNote(t, s, left, right)
		})
	}
	if !checkGolden(hashes) {
		t.Errorf("the pieces sound different from before; if that is intended, put this into golden_test.go:\n%#v", hashes)
	}
}

func checkHeader(t *testing.T, b []byte, s *song) {
	t.Helper()
	le := binary.LittleEndian
	if string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		t.Fatalf("header %q", b[:44])
	}
	if int(le.Uint32(b[4:])) != len(b)-8 || int(le.Uint32(b[40:])) != len(b)-44 {
		t.Error("sizes in the header do not add up")
	}
	if le.Uint16(b[20:]) != 1 || le.Uint16(b[22:]) != 2 || le.Uint32(b[24:]) != SampleRate || le.Uint32(b[28:]) != 4*SampleRate || le.Uint16(b[32:]) != 4 || le.Uint16(b[34:]) != 16 {
		t.Errorf("format %x", b[20:36])
	}
	if (len(b)-44)/4 != s.frames() {
		t.Errorf("%d frames, want %d", (len(b)-44)/4, s.frames())
	}
}

func checkLoudness(t *testing.T, left, right []float32) {
	t.Helper()
	var top, sum, diff, window float64
	for i := range left {
		l, r := float64(left[i]), float64(right[i])
		if math.IsNaN(l) || math.IsNaN(r) {
			t.Fatal("not a number")
		}
		top = max(top, math.Abs(l), math.Abs(r))
		sum += l*l + r*r
		diff += (l - r) * (l - r)
		window += l*l + r*r
		if i%SampleRate == SampleRate-1 {
			last := i > len(left)-2*SampleRate
			if rms := math.Sqrt(window / (2 * SampleRate)); rms < 0.01 && !last {
				t.Errorf("second %d is silent: %.4f", i/SampleRate, rms)
			}
			window = 0
		}
	}
	n := float64(len(left))
	rms := math.Sqrt(sum / (2 * n))
	t.Logf("%.1f s, peak %.2f, rms %.3f, side %.3f", n/SampleRate, top, rms, math.Sqrt(diff/(2*n)))
	if top < 0.5 || top > 0.9 {
		t.Errorf("peak %.3f", top)
	}
	if rms < 0.07 || rms > 0.3 {
		t.Errorf("rms %.3f", rms)
	}
	if side := math.Sqrt(diff / (2 * n)); side < 0.01 {
		t.Errorf("not stereo: %.4f", side)
	}
}

func checkEnds(t *testing.T, left, right []float32) {
	t.Helper()
	n := len(left) - 1
	for _, v := range []float32{left[0], right[0], left[n], right[n]} {
		if v != 0 {
			t.Errorf("starts or ends with a click: %v", v)
		}
	}
}

// checkFirstNote looks for the fundamental of the melody's first note and expects less
// half a tone up and down.
func checkFirstNote(t *testing.T, s *song, left, right []float32) {
	t.Helper()
	f := s.first()
	from := int(f.at * 60 / s.bpm * SampleRate)
	n := max(int(f.beats*60/s.bpm*SampleRate), SampleRate/3)
	power := func(midi float64) float64 {
		freq := 440 * math.Pow(2, (midi-69)/12)
		c := 2 * math.Cos(2*math.Pi*freq/SampleRate)
		var s1, s2 float64
		for i := range n {
			w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n))
			x := w * float64(left[from+i]+right[from+i])
			s1, s2 = x+c*s1-s2, s1
		}
		return s1*s1 + s2*s2 - c*s1*s2
	}
	at := power(f.midi)
	if below, above := power(f.midi-1), power(f.midi+1); at < 8*below || at < 8*above {
		t.Errorf("pitch %v is not there: %.3g beside %.3g and %.3g", f.midi, at, below, above)
	}
}

func TestSameBytesEveryTime(t *testing.T) {
	a, b := wav(render(copperKettle())), wav(render(copperKettle()))
	if !bytes.Equal(a, b) {
		t.Error("two renderings of one piece differ")
	}
}

func TestLibraryServes(t *testing.T) {
	l := NewLibrary(1)
	var wg sync.WaitGroup
	sums := make([][32]byte, 4)
	for i := range sums {
		wg.Go(func() {
			r, mod, size, err := l.Open("copper-kettle")
			if err != nil {
				t.Error(err)
				return
			}
			b, err := io.ReadAll(r)
			if err != nil || int64(len(b)) != size || mod.IsZero() {
				t.Errorf("%d bytes of %d, %v, %v", len(b), size, mod, err)
			}
			sums[i] = sha256.Sum256(b)
		})
	}
	wg.Wait()
	for _, s := range sums[1:] {
		if s != sums[0] {
			t.Error("readers got different bytes")
		}
	}
	r, _, size, err := l.Open("copper-kettle")
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := l.Piece("copper-kettle"); p.Size != size {
		t.Errorf("size %d, announced %d", size, p.Size)
	}
	if at, err := r.Seek(-8, io.SeekEnd); err != nil || at != size-8 {
		t.Errorf("Seek: %d, %v", at, err)
	}
	if _, _, _, err := l.Open("paper-boats"); err != nil {
		t.Fatal(err)
	}
	if n := l.cache.Len(); n != 1 {
		t.Errorf("%d pieces in memory, want the bound 1", n)
	}
	for _, name := range []string{"", "nothing", "../aurora", "Aurora"} {
		if _, _, _, err := l.Open(name); !errors.Is(err, ErrUnknown) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q): %v", name, err)
		}
		if _, _, _, err := l.Artwork(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("Artwork(%q): %v", name, err)
		}
	}
}

func TestArtworkIsWellFormed(t *testing.T) {
	l := NewLibrary(1)
	seen := map[string]bool{}
	for _, p := range l.Pieces() {
		r, _, size, err := l.Artwork(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r)
		if int64(len(b)) != size || size > 64<<10 || bytes.Contains(b, []byte("NaN")) || bytes.Contains(b, []byte("Inf")) {
			t.Errorf("%s: %d bytes, %d announced", p.Name, len(b), size)
		}
		if seen[string(b)] {
			t.Errorf("%s has another's picture", p.Name)
		}
		seen[string(b)] = true
		d := xml.NewDecoder(bytes.NewReader(b))
		shapes := 0
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", p.Name, err)
			}
			if e, ok := tok.(xml.StartElement); ok {
				shapes++
				if e.Name.Local == "script" || e.Name.Local == "image" {
					t.Errorf("%s holds <%s>", p.Name, e.Name.Local)
				}
			}
		}
		if shapes < 8 {
			t.Errorf("%s: only %d elements", p.Name, shapes)
		}
	}
}

func TestScoreNotation(t *testing.T) {
	got := play(4, 4, 0.5, "C4:1 D#5+Bb2:.5! - F4:2, | G8:4")
	want := []note{{4, 1, 60, 0.5}, {5, 0.5, 75, 0.625}, {5, 0.5, 46, 0.625}, {6, 2, 65, 0.35}, {8, 4, 115, 0.5}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"C4:3 | C4", "H4", "C", "C9", "C4:", "C4:-1", "C4:x", "+"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", bad)
				}
			}()
			play(0, 4, 0.5, bad)
		}()
	}
}

func TestExpAgreesWithTheStandardLibrary(t *testing.T) {
	for x := -40.0; x < 20; x += 0.137 {
		if got, want := exp(x), math.Exp(x); math.Abs(got/want-1) > 1e-13 {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if exp(-1e6) != 0 {
		t.Error("exp of very little")
	}
}

func BenchmarkRender(b *testing.B) {
	for _, s := range songs() {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				render(s)
			}
		})
	}
}
