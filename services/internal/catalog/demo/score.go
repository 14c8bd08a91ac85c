package demo

import (
	"fmt"
	"strconv"
	"strings"
)

// note is one tone: when, how long, how high, how loud.
type note struct {
	at    float64 // beats from the start of the piece
	beats float64 // length as written
	midi  float64 // pitch; 69 is A4, 440 Hz
	vel   float64 // 0 to 1
}

// part is what one instrument plays.
type part struct {
	inst  instrument
	notes []note
	gain  float64
	pan   float64 // -1 left, 1 right
	room  float64 // how much goes to the reverberation
	echo  float64 // how much goes to the echo
}

// song is a whole piece.
type song struct {
	name, title, mood string
	bpm               float64
	bar               float64 // beats in a bar
	swing             float64 // how far the second eighth of a beat is late, in beats
	echoBeats         float64
	tail              float64 // seconds after the last note's end, in which all fades
	parts             []part  // the first one has the melody
	art               art
}

// beats is where the last note ends.
func (s *song) beats() float64 {
	var end float64
	for _, p := range s.parts {
		for _, n := range p.notes {
			end = max(end, n.at+n.beats)
		}
	}
	return end
}

// frames is the length of the piece in sample frames, a whole number of milliseconds.
func (s *song) frames() int {
	const perMs = SampleRate / 1000
	ms := int(s.beats()*60_000/s.bpm + s.tail*1000)
	return ms * perMs
}

// first is the note that opens the melody.
func (s *song) first() note {
	f := s.parts[0].notes[0]
	for _, n := range s.parts[0].notes {
		if n.at < f.at {
			f = n
		}
	}
	return f
}

// play reads a line of music that starts at a beat. The notation is
//
//	D5:1.5    a note and its length in beats; the length lasts on for what follows
//	D4+F#4+A4 a chord
//	-         a rest
//	!  ,      at the end: louder, softer
//	|         a bar line, where the beats so far must fill whole bars
//
// It panics on text that is none of this, or on a bar line in the wrong place: the
// scores are part of the program and a test reads them all.
func play(at, bar, vel float64, text string) []note {
	var (
		out   []note
		beats = 1.0
		pos   float64
	)
	for tok := range strings.FieldsSeq(text) {
		if tok == "|" {
			if n := pos / bar; n-float64(int(n+0.5)) > 1e-6 || float64(int(n+0.5))-n > 1e-6 {
				panic(fmt.Sprintf("demo: bar line after %v beats of %v in %q", pos, bar, text))
			}
			continue
		}
		v := vel
		for strings.HasSuffix(tok, "!") {
			v, tok = min(1, v*1.25), tok[:len(tok)-1]
		}
		for strings.HasSuffix(tok, ",") {
			v, tok = v*0.7, tok[:len(tok)-1]
		}
		if i := strings.IndexByte(tok, ':'); i >= 0 {
			b, err := strconv.ParseFloat(tok[i+1:], 64)
			if err != nil || b <= 0 {
				panic(fmt.Sprintf("demo: length in %q", tok))
			}
			beats, tok = b, tok[:i]
		}
		if tok != "-" {
			for p := range strings.SplitSeq(tok, "+") {
				out = append(out, note{at: at + pos, beats: beats, midi: pitch(p), vel: v})
			}
		}
		pos += beats
	}
	return out
}

// pitch reads a name such as C4, F#3 or Bb5.
func pitch(name string) float64 {
	if len(name) >= 2 {
		if semis := strings.IndexByte("C D EF G A B", name[0]); semis >= 0 && name[0] != ' ' {
			rest := name[1:]
			switch rest[0] {
			case '#':
				semis, rest = semis+1, rest[1:]
			case 'b':
				semis, rest = semis-1, rest[1:]
			}
			if oct, err := strconv.Atoi(rest); err == nil && oct >= 0 && oct <= 8 {
				return float64(12*(oct+1) + semis)
			}
		}
	}
	panic("demo: not a pitch: " + name)
}

// chords spreads a progression: each token is a chord as in play, and each is played by
// pattern, a string of the chord's tones by number ("0", "1", …, "^" an octave higher
// before the number, "*" all of them, "-" a rest), one every step beats, until the
// chord's length is filled.
func chords(at, bar, vel, step float64, pattern, text string) []note {
	type group struct {
		at, beats float64
		tones     []note
	}
	var groups []group
	for _, n := range play(at, bar, vel, text) {
		if k := len(groups); k > 0 && groups[k-1].at == n.at {
			groups[k-1].tones = append(groups[k-1].tones, n)
			continue
		}
		groups = append(groups, group{at: n.at, beats: n.beats, tones: []note{n}})
	}
	steps := strings.Fields(pattern)
	var out []note
	for _, g := range groups {
		for i := 0; float64(i)*step < g.beats-1e-6; i++ {
			tok := steps[i%len(steps)]
			t := g.at + float64(i)*step
			switch tok {
			case "-":
			case "*":
				for _, n := range g.tones {
					out = append(out, note{at: t, beats: step, midi: n.midi, vel: n.vel})
				}
			default:
				up := 0.0
				for tok[0] == '^' {
					up, tok = up+12, tok[1:]
				}
				k, err := strconv.Atoi(tok)
				if err != nil {
					panic("demo: pattern " + pattern)
				}
				n := g.tones[k%len(g.tones)]
				out = append(out, note{at: t, beats: step, midi: n.midi + up, vel: n.vel})
			}
		}
	}
	return out
}

// drum repeats a bar of hits from one beat to another: "x" a hit, "X" a loud one, "o" a
// soft one, "." none; all have the same length.
func drum(from, to, bar, vel float64, hits string) []note {
	hits = strings.ReplaceAll(hits, " ", "")
	step := bar / float64(len(hits))
	var out []note
	for t := from; t < to-1e-6; t += bar {
		for i, h := range hits {
			v := vel
			switch h {
			case '.':
				continue
			case 'X':
				v = min(1, vel*1.3)
			case 'o':
				v = vel * 0.55
			}
			if at := t + float64(i)*step; at < to-1e-6 {
				out = append(out, note{at: at, beats: step, midi: 60, vel: v})
			}
		}
	}
	return out
}

// join puts lines together.
func join(lines ...[]note) []note {
	var out []note
	for _, l := range lines {
		out = append(out, l...)
	}
	return out
}

// shift returns the line some beats later and some semitones higher.
func shift(line []note, beats, semis float64) []note {
	out := make([]note, len(line))
	for i, n := range line {
		n.at += beats
		n.midi += semis
		out[i] = n
	}
	return out
}
