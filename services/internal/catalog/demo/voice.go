package demo

import "math"

// SampleRate is the sample frames per second of every piece.
const SampleRate = 32_000

// exp is e to the power x to about fifteen digits, from operations that every processor
// rounds alike.
func exp(x float64) float64 {
	if x < -700 {
		return 0
	}
	k := math.Floor(x/math.Ln2 + 0.5)
	r := (x - k*math.Ln2) / 4
	sum, term := 1.0, 1.0
	for i := 1; i < 14; i++ {
		term *= r / float64(i)
		sum += term
	}
	sum *= sum
	sum *= sum
	return math.Ldexp(sum, int(k))
}

// hertz is the frequency of a pitch.
func hertz(midi float64) float64 { return 440 * exp((midi-69)*math.Ln2/12) }

// noise is a small generator of white noise, the same everywhere.
type noise uint64

// next is the next value, from -1 to 1.
func (n *noise) next() float64 {
	x := uint64(*n)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*n = noise(x)
	return float64(int64(x)>>11) / (1 << 52)
}

// osc is an oscillator; phase is in turns.
type osc struct{ phase, step float64 }

func newOsc(freq, phase float64) osc { return osc{phase, freq / SampleRate} }

func (o *osc) turn() float64 {
	p := o.phase
	o.phase += o.step
	if o.phase >= 1 {
		o.phase -= math.Floor(o.phase)
	}
	return p
}

func (o *osc) sine() float64 { return sin(o.turn()) }

// sines is one turn of the sine and the first value of the next.
var sines = func() (t [4097]float64) {
	for i := range t {
		t[i] = math.Sin(2 * math.Pi * float64(i) / float64(len(t)-1))
	}
	return t
}()

// sin is the sine of an angle in turns, to six digits.
func sin(turns float64) float64 {
	x := (turns - math.Floor(turns)) * float64(len(sines)-1)
	i := int(x) & (len(sines) - 2)
	f := x - float64(i)
	return sines[i] + f*(sines[i+1]-sines[i])
}

// saw falls from 1 to -1, its edge rounded so that it does not ring below its pitch.
func (o *osc) saw() float64 {
	p := o.turn()
	return 1 - 2*p + edge(p, o.step)
}

// pulse is a square wave whose upper half takes width of a turn.
func (o *osc) pulse(width float64) float64 {
	p := o.turn()
	q := p - width
	if q < 0 {
		q++
	}
	v := -1.0
	if p < width {
		v = 1
	}
	return v + edge(p, o.step) - edge(q, o.step)
}

func (o *osc) triangle() float64 {
	p := o.turn()
	if p < 0.5 {
		return 4*p - 1
	}
	return 3 - 4*p
}

// edge is the correction of a step of height two that happens at phase zero, over one
// sample to each side.
func edge(p, step float64) float64 {
	switch {
	case p < step:
		x := p/step - 1
		return -x * x
	case p > 1-step:
		x := (p-1)/step + 1
		return x * x
	}
	return 0
}

// decay is a value that halves every so many seconds.
type decay struct{ value, factor float64 }

func newDecay(start, halfLife float64) decay {
	return decay{start, exp(-math.Ln2 / (halfLife * SampleRate))}
}

func (d *decay) next() float64 {
	v := d.value
	d.value *= d.factor
	return v
}

// envelope rises in a straight line, falls towards sustain, and after the gate falls
// towards nothing.
type envelope struct {
	level, rise, sustain, fall, release float64
	gate, n                             int
	risen                               bool
}

// newEnvelope takes times in seconds: of the rise, and of the half-lives of the fall
// and of the release.
func newEnvelope(rise, fall, sustain, release float64, gate int) envelope {
	return envelope{
		rise:    1 / max(1, rise*SampleRate),
		sustain: sustain,
		fall:    exp(-math.Ln2 / (fall * SampleRate)),
		release: exp(-math.Ln2 / (release * SampleRate)),
		gate:    gate,
	}
}

func (e *envelope) next() float64 {
	switch {
	case e.n >= e.gate:
		e.level *= e.release
	case !e.risen:
		e.level += e.rise
		if e.level >= 1 {
			e.level, e.risen = 1, true
		}
	default:
		e.level = e.sustain + (e.level-e.sustain)*e.fall
	}
	e.n++
	return e.level
}

// filter is a state-variable filter; one of it gives low, band and high output.
type filter struct{ g, k, a1, a2, a3, s1, s2 float64 }

// tune sets the corner frequency and the resonance (0.7 is none).
func (f *filter) tune(freq, q float64) {
	f.g = math.Tan(math.Pi * min(freq, 0.45*SampleRate) / SampleRate)
	f.k = 1 / q
	f.a1 = 1 / (1 + f.g*(f.g+f.k))
	f.a2 = f.g * f.a1
	f.a3 = f.g * f.a2
}

func (f *filter) step(x float64) (low, band float64) {
	v3 := x - f.s2
	v1 := f.a1*f.s1 + f.a2*v3
	v2 := f.s2 + f.a2*f.s1 + f.a3*v3
	f.s1 = 2*v1 - f.s1
	f.s2 = 2*v2 - f.s2
	return v2, v1
}

func (f *filter) low(x float64) float64 {
	l, _ := f.step(x)
	return l
}

func (f *filter) high(x float64) float64 {
	l, b := f.step(x)
	return x - f.k*b - l
}

// soften bends a value smoothly towards ±1, which it never passes.
func soften(x float64) float64 {
	switch {
	case x > 3:
		return 1
	case x < -3:
		return -1
	}
	return x * (27 + x*x) / (27 + 9*x*x)
}
