package demo

// tone is what an instrument is asked to play: one note for one ear.
type tone struct {
	freq float64 // hertz
	vel  float64 // 0 to 1
	gate int     // frames until the note is let go
	ear  float64 // -1 left, 1 right, 0 for an instrument that gives both the same
	rng  *noise
}

// instrument fills a buffer with one note, its release included, added to nothing.
type instrument struct {
	release float64 // seconds that it sounds after the gate at most
	wide    bool    // the two ears hear two takes
	fill    func(buf []float32, t tone)
}

// pad is a slow chorus of saws behind a filter that opens and closes.
var pad = instrument{release: 1.8, wide: true, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.55, 2, 0.8, 0.28, t.gate)
	d := 1 + 0.0022*t.ear
	a, b, c := newOsc(t.freq*d, 0.1+0.2*t.ear), newOsc(t.freq*1.0041/d, 0.45), newOsc(t.freq*0.9967, 0.8)
	sweep := newOsc(0.11, 0.25+0.1*t.ear)
	var f filter
	for i := range buf {
		if i%32 == 0 {
			f.tune(500+500*t.vel+t.freq*1.2+260*sweep.sineSlow(32), 0.8)
		}
		buf[i] = float32(0.33 * t.vel * env.next() * f.low(a.saw()+b.saw()+c.saw()))
	}
}}

// sineSlow is sine for a modulator that is read once every n frames.
func (o *osc) sineSlow(n float64) float64 {
	v := o.sine()
	o.phase += o.step * (n - 1)
	return v
}

// voices is an "ah" of a choir: triangles with slow vibrato and breath.
var voices = instrument{release: 1.2, wide: true, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.25, 1.5, 0.85, 0.2, t.gate)
	a, b := newOsc(t.freq*(1+0.0015*t.ear), 0.3), newOsc(2*t.freq, 0.1)
	vib := newOsc(4.6+0.4*t.ear, 0.2)
	step := a.step
	var f, breath filter
	f.tune(900+t.freq, 0.9)
	breath.tune(2400, 2)
	for i := range buf {
		if i%16 == 0 {
			a.step = step * (1 + 0.0035*vib.sineSlow(16))
		}
		_, air := breath.step(t.rng.next())
		buf[i] = float32(t.vel * env.next() * (f.low(0.8*a.triangle()+0.18*b.saw()) + 0.015*air))
	}
}}

// organ is a few drawbars.
var organ = instrument{release: 0.5, wide: true, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.03, 1, 0.9, 0.07, t.gate)
	o := [4]osc{newOsc(t.freq, 0), newOsc(2*t.freq, 0.2), newOsc(3*t.freq, 0.4), newOsc(4*t.freq, 0.1)}
	level := [4]float64{0.6, 0.26, 0.12, 0.08}
	sway := newOsc(0.9, 0.25*t.ear)
	var s float64
	for i := range buf {
		if i%32 == 0 {
			s = 1 + 0.07*sway.sineSlow(32)
		}
		var v float64
		for k := range o {
			v += level[k] * o[k].sine()
		}
		buf[i] = float32(0.8 * t.vel * s * env.next() * v)
	}
}}

// lead sings: a saw and a square with late vibrato.
var lead = instrument{release: 0.6, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.02, 0.5, 0.75, 0.08, t.gate)
	a, b := newOsc(t.freq, 0), newOsc(t.freq*1.003, 0.35)
	vib := newOsc(5.3, 0)
	sa, sb := a.step, b.step
	var f filter
	for i := range buf {
		if i%16 == 0 {
			depth := 0.004 * min(1, float64(i)/(0.5*SampleRate))
			v := 1 + depth*vib.sineSlow(16)
			a.step, b.step = sa*v, sb*v
			f.tune(700+2600*t.vel*env.level+t.freq, 1.1)
		}
		buf[i] = float32(0.42 * t.vel * env.next() * f.low(a.saw()+0.6*b.pulse(0.4)))
	}
}}

// pluck is a string: a burst of noise that goes round a line as long as one period and
// loses its edge on the way.
var pluck = instrument{release: 1.6, fill: func(buf []float32, t tone) {
	period := SampleRate/t.freq - 0.5
	n := int(period)
	frac := period - float64(n)
	line := make([]float64, n+1)
	var f filter
	f.tune(1200+5200*t.vel, 0.7)
	var mean float64
	for i := range line {
		line[i] = f.low(t.rng.next())
		mean += line[i] / float64(len(line))
	}
	for i := range line {
		line[i] -= mean
	}
	loss := exp(-4.2 / (t.freq * (0.9 + 160/t.freq)))
	damp := newDecay(1, 0.12)
	var last float64
	for i, at := 0, 0; i < len(buf); i++ {
		next := at + 1
		if next == len(line) {
			next = 0
		}
		x := line[next]*(1-frac) + line[at]*frac
		y := loss * 0.5 * (x + last)
		last = x
		line[at] = y
		at = next
		g := 1.0
		if i >= t.gate {
			g = damp.next()
		}
		buf[i] = float32(2.3 * t.vel * g * x)
	}
}}

// bell is one sine that bends the phase of another, both dying away.
var bell = instrument{release: 2.6, wide: true, fill: func(buf []float32, t tone) {
	car, mod := newOsc(t.freq*(1+0.0006*t.ear), 0), newOsc(3.5*t.freq, 0.05*t.ear)
	amp, bend := newDecay(1, 0.55), newDecay(0.22+0.25*t.vel, 0.16)
	env := newEnvelope(0.003, 9, 0.9, 0.5, t.gate)
	for i := range buf {
		p := car.turn() + bend.next()*mod.sine()
		buf[i] = float32(0.7 * t.vel * env.next() * amp.next() * sin(p))
	}
}}

// tine is an electric piano.
var tine = instrument{release: 0.9, wide: true, fill: func(buf []float32, t tone) {
	car, mod, tip := newOsc(t.freq, 0), newOsc(t.freq, 0), newOsc(14*t.freq, 0)
	amp, bend, click := newDecay(1, 0.75), newDecay(0.06+0.2*t.vel*t.vel, 0.35), newDecay(0.03*t.vel, 0.03)
	env := newEnvelope(0.004, 9, 0.9, 0.09, t.gate)
	sway := newOsc(4.1, 0.25+0.25*t.ear)
	g := 1.0
	for i := range buf {
		if i%32 == 0 {
			g = 1 + 0.16*t.ear*sway.sineSlow(32)
		}
		p := car.turn() + bend.next()*mod.sine() + click.next()*tip.sine()
		buf[i] = float32(0.62 * t.vel * g * env.next() * amp.next() * sin(p))
	}
}}

// marimba is a wooden bar over a tube.
var marimba = instrument{release: 0.9, fill: func(buf []float32, t tone) {
	a, b, c := newOsc(t.freq, 0), newOsc(3.93*t.freq, 0), newOsc(9.2*t.freq, 0)
	da, db, dc := newDecay(0.85, 0.04+38/t.freq), newDecay(0.3*t.vel, 0.045), newDecay(0.16*t.vel, 0.012)
	env := newEnvelope(0.002, 9, 0.9, 0.2, t.gate)
	for i := range buf {
		v := da.next()*a.sine() + db.next()*b.sine() + dc.next()*c.sine()
		buf[i] = float32(t.vel * env.next() * v)
	}
}}

// bass is a sine with some saw on top that closes after the stroke.
var bass = instrument{release: 0.35, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.006, 0.45, 0.6, 0.05, t.gate)
	a, b := newOsc(t.freq, 0), newOsc(t.freq, 0)
	open := newDecay(900*t.vel+300, 0.12)
	var f filter
	for i := range buf {
		o := open.next()
		if i%16 == 0 {
			f.tune(130+o, 0.9)
		}
		buf[i] = float32(t.vel * env.next() * (0.62*a.sine() + 0.4*f.low(b.saw())))
	}
}}

// arp is a short bright pulse.
var arp = instrument{release: 0.4, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.004, 0.14, 0.25, 0.06, t.gate)
	a, b := newOsc(t.freq, 0), newOsc(t.freq*1.005, 0.5)
	open := newDecay(3800*t.vel, 0.07)
	var f filter
	for i := range buf {
		o := open.next()
		if i%16 == 0 {
			f.tune(350+t.freq+o, 1.4)
		}
		buf[i] = float32(0.4 * t.vel * env.next() * f.low(a.pulse(0.32)+0.7*b.saw()))
	}
}}

// kick is a sine that falls.
var kick = instrument{release: 0.4, fill: func(buf []float32, t tone) {
	o := newOsc(47, 0)
	fall, amp, click := newDecay(120, 0.022), newDecay(1, 0.085), newDecay(0.25, 0.004)
	for i := range buf {
		o.step = (47 + fall.next()) / SampleRate
		buf[i] = float32(t.vel * (soften(1.5*amp.next()*o.sine()) + click.next()*t.rng.next()))
	}
}}

// snare is a drum and its wires.
var snare = instrument{release: 0.35, fill: func(buf []float32, t tone) {
	a, b := newOsc(186, 0), newOsc(331, 0.2)
	skin, wires := newDecay(0.7, 0.035), newDecay(0.95, 0.05)
	var f filter
	f.tune(1500, 0.8)
	for i := range buf {
		s := skin.next()
		buf[i] = float32(t.vel * (s*(a.sine()+0.5*b.sine()) + wires.next()*f.high(t.rng.next())))
	}
}}

// hat is a short hiss.
var hat = instrument{release: 0.15, fill: func(buf []float32, t tone) {
	d := newDecay(1.2, 0.018)
	var f filter
	f.tune(7200, 0.9)
	for i := range buf {
		buf[i] = float32(t.vel * d.next() * f.high(t.rng.next()))
	}
}}

// shaker swells and stops.
var shaker = instrument{release: 0.12, fill: func(buf []float32, t tone) {
	env := newEnvelope(0.03, 0.03, 0, 0.015, int(0.07*SampleRate))
	var f filter
	f.tune(5200, 1.5)
	for i := range buf {
		_, v := f.step(t.rng.next())
		buf[i] = float32(0.8 * t.vel * env.next() * v)
	}
}}

// block is a knock on wood.
var block = instrument{release: 0.2, fill: func(buf []float32, t tone) {
	a, b := newOsc(820, 0), newOsc(1270, 0.1)
	da, db := newDecay(0.9, 0.02), newDecay(0.5, 0.011)
	for i := range buf {
		buf[i] = float32(t.vel * (da.next()*a.sine() + db.next()*b.sine()))
	}
}}
