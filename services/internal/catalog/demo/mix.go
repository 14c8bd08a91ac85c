package demo

import "math"

const (
	peak   = 0.89  // the loudest sample of a piece, of 1
	drive  = 0.16  // the mean loudness (RMS) aimed at before softening
	fadeIn = 0.015 // seconds
)

// render plays a song into left and right, values within ±peak.
func render(s *song) (left, right []float32) {
	n := s.frames()
	m := mixer{
		out:  stereo{make([]float32, n), make([]float32, n)},
		room: stereo{make([]float32, n), make([]float32, n)},
		echo: stereo{make([]float32, n), make([]float32, n)},
	}
	rng := noise(0x9E3779B97F4A7C15)
	for _, b := range []byte(s.name) {
		rng = noise(uint64(rng)*1099511628211 + uint64(b))
	}
	for i := range s.parts {
		m.add(s, &s.parts[i], &rng)
	}
	m.echoes(int(s.echoBeats * 60 / s.bpm * SampleRate))
	m.reverberate()
	m.finish(int(s.tail * SampleRate))
	return m.out[0], m.out[1]
}

type stereo [2][]float32

type mixer struct {
	out, room, echo stereo
	scratch         []float32
}

// add plays a part.
func (m *mixer) add(s *song, p *part, rng *noise) {
	frames := len(m.out[0])
	perBeat := 60 / s.bpm * SampleRate
	for _, n := range p.notes {
		at := n.at
		if off := at - math.Floor(at); s.swing > 0 && off > 0.45 && off < 0.55 {
			at += s.swing
		}
		start := int(at * perBeat)
		gate := int(n.beats * perBeat * 0.96)
		size := min(gate+int(p.inst.release*SampleRate), frames-start)
		if size <= 0 {
			continue
		}
		if cap(m.scratch) < size {
			m.scratch = make([]float32, size)
		}
		buf := m.scratch[:size]
		t := tone{freq: hertz(n.midi), vel: n.vel, gate: gate, rng: rng}
		for ear := range 2 {
			if p.inst.wide {
				t.ear = float64(2*ear - 1)
			}
			if ear == 0 || p.inst.wide {
				p.inst.fill(buf, t)
				lower(buf)
			}
			g := p.gain * math.Sqrt(0.5*(1+float64(2*ear-1)*p.pan))
			mixInto(m.out[ear][start:], buf, g)
			if p.room > 0 {
				mixInto(m.room[ear][start:], buf, g*p.room)
			}
			if p.echo > 0 {
				mixInto(m.echo[ear][start:], buf, g*p.echo)
			}
		}
	}
}

// lower brings the last few milliseconds of a note to nothing, so that cutting it off
// makes no click.
func lower(buf []float32) {
	k := min(len(buf), SampleRate/100)
	for i := range k {
		buf[len(buf)-1-i] *= float32(i) / float32(k)
	}
}

func mixInto(dst, src []float32, gain float64) {
	g := float32(gain)
	for i, v := range src[:min(len(src), len(dst))] {
		dst[i] += float32(g * v)
	}
}

// echoes repeats what was sent to the echo, from one ear to the other, each time
// softer and duller, and sends some of it to the room.
func (m *mixer) echoes(delay int) {
	l, r := m.echo[0], m.echo[1]
	if delay <= 0 || delay >= len(l) {
		return
	}
	var dl, dr float32
	for i := delay; i < len(l); i++ {
		dl += 0.4 * (r[i-delay] - dl)
		dr += 0.4 * (l[i-delay] - dr)
		l[i] += 0.5 * dl
		r[i] += 0.5 * dr
		m.out[0][i] += dl
		m.out[1][i] += dr
		m.room[0][i] += 0.25 * dl
		m.room[1][i] += 0.25 * dr
	}
}

// reverberate adds a room: for each ear some lines of different lengths that feed back
// and lose their treble, then two that only blur.
func (m *mixer) reverberate() {
	for ear := range 2 {
		in, out := m.room[ear], m.out[ear]
		combs := [5]comb{}
		for i, n := range [5]int{1031, 1153, 1277, 1409, 1523} {
			combs[i].line = make([]float32, n+23*ear)
		}
		blurs := [2]blur{{line: make([]float32, 403+11*ear)}, {line: make([]float32, 127+7*ear)}}
		for i, x := range in {
			var v float32
			for k := range combs {
				v += combs[k].next(x)
			}
			v = blurs[1].next(blurs[0].next(v))
			out[i] += 0.2 * v
		}
	}
}

type comb struct {
	line []float32
	at   int
	dull float32
}

func (c *comb) next(x float32) float32 {
	y := c.line[c.at]
	c.dull += 0.55 * (y - c.dull)
	c.line[c.at] = x + float32(0.86*c.dull)
	if c.at++; c.at == len(c.line) {
		c.at = 0
	}
	return y
}

type blur struct {
	line []float32
	at   int
}

func (b *blur) next(x float32) float32 {
	d := b.line[b.at]
	y := d - float32(0.5*x)
	b.line[b.at] = x + float32(0.5*y)
	if b.at++; b.at == len(b.line) {
		b.at = 0
	}
	return y
}

// finish takes away what lies below hearing, brings the piece to its loudness, rounds
// off its peaks and fades its ends.
func (m *mixer) finish(tail int) {
	var sum float64
	for ear := range m.out {
		var f filter
		f.tune(28, 0.7)
		for i, v := range m.out[ear] {
			x := f.high(float64(v))
			m.out[ear][i] = float32(x)
			sum += x * x
		}
	}
	n := len(m.out[0])
	rms := math.Sqrt(sum / float64(2*n))
	gain := drive / max(rms, 1e-9)
	var top float64
	for _, ch := range m.out {
		for i, v := range ch {
			x := soften(float64(v) * gain)
			ch[i] = float32(x)
			top = max(top, math.Abs(x))
		}
	}
	level := min(peak/max(top, 1e-9), 1.6)
	in := int(fadeIn * SampleRate)
	for _, ch := range m.out {
		for i := range ch {
			g := level
			if i < in {
				g *= float64(i) / float64(in)
			}
			if left := n - 1 - i; left < tail {
				f := float64(left) / float64(tail)
				g *= f * f
			}
			ch[i] = float32(float64(ch[i]) * g)
		}
	}
}
