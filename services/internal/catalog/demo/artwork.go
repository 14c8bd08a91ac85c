package demo

import (
	"fmt"
	"math"
	"strings"
)

// art says how a piece's picture looks.
type art struct {
	motif       string // see draw
	top, bottom string // colours of the background
	glow        string // colour of the light in it
	ink         []string
}

const side = 512 // of the square picture, in its units

// draw makes the picture: a background and a light, and over them the motif, whose
// shape follows the pitches of the melody.
func (s *song) draw() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img"><title>%s</title>`, side, side, side, side, s.title)
	fmt.Fprintf(&b, `<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>`, s.art.top, s.art.bottom)
	fmt.Fprintf(&b, `<radialGradient id="glow"><stop offset="0" stop-color="%s" stop-opacity=".95"/><stop offset=".35" stop-color="%s" stop-opacity=".4"/><stop offset="1" stop-color="%s" stop-opacity="0"/></radialGradient></defs>`, s.art.glow, s.art.glow, s.art.glow)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="url(#sky)"/>`, side, side)
	heights := s.contour(24)
	switch s.art.motif {
	case "curtains":
		s.glowAt(&b, 256, 420, 330)
		for k := range 3 {
			s.ribbon(&b, heights, k, 150+60*float64(k), 90, 190)
		}
	case "waves":
		s.glowAt(&b, 370, 130, 150)
		for k := range 3 {
			s.hill(&b, heights, k, 300+70*float64(k), 26)
		}
		for k, x := range []float64{130, 260, 360} {
			boat(&b, x, 300+heights[(5*k+3)%len(heights)]*-20+34*float64(k), 1+0.25*float64(k))
		}
	case "hills":
		s.glowAt(&b, 330, 220, 220)
		for k := range 3 {
			s.hill(&b, heights, 2-k, 280+80*float64(k), 70)
		}
	case "lanterns":
		s.glowAt(&b, 256, 300, 300)
		for i, h := range heights {
			x := 30 + float64(i*(side-60))/float64(len(heights)-1)
			y := 300 - 190*h + 30*math.Sin(float64(i))
			r := 7 + 9*h
			fmt.Fprintf(&b, `<path d="M%.1f 0V%.1f" stroke="%s" stroke-opacity=".18"/>`, x, y, s.art.glow)
			s.glowAt(&b, x, y, 3.2*r)
			fmt.Fprintf(&b, `<ellipse cx="%.1f" cy="%.1f" rx="%.1f" ry="%.1f" fill="%s"/>`, x, y, 0.8*r, r, s.ink(i))
		}
	case "rings":
		s.glowAt(&b, 256, 256, 300)
		for i, h := range heights {
			r := 225 - 8.6*float64(i)
			turn := 2 * math.Pi * r
			fmt.Fprintf(&b, `<circle cx="256" cy="256" r="%.1f" fill="none" stroke="%s" stroke-width="%.1f" stroke-opacity=".85" stroke-dasharray="%.1f %.1f" stroke-linecap="round" transform="rotate(%d 256 256)"/>`,
				r, s.ink(i), 2+4*h, turn*(0.15+0.6*h), turn, i*47%360)
		}
	case "rain":
		s.glowAt(&b, 140, 350, 180)
		s.glowAt(&b, 390, 380, 140)
		for i := range 3 * len(heights) {
			h := heights[i%len(heights)]
			x := float64(i*173%side) + 6*h
			y := float64(i * 97 % 460)
			l := 20 + 60*h
			fmt.Fprintf(&b, `<path d="M%.1f %.1fl%.1f %.1f" stroke="%s" stroke-width="2.5" stroke-opacity=".55" stroke-linecap="round"/>`, x, y, -l/5, l, s.ink(i))
		}
		fmt.Fprintf(&b, `<path d="M0 452H512M0 468H512" stroke="%s" stroke-opacity=".7" stroke-width="3"/>`, s.art.glow)
	case "fires":
		s.hill(&b, heights, 2, 330, 120)
		for i := 2; i < len(heights); i += 4 {
			x := float64(i*side) / float64(len(heights)-1)
			y := 330 - 120*(heights[i]-0.5)
			s.glowAt(&b, x, y, 70)
			fmt.Fprintf(&b, `<path d="M%.1f %.1fq-16 -22 0 -52q16 30 0 52z" fill="%s"/><path d="M%.1f %.1fq-8 -12 0 -28q8 16 0 28z" fill="%s"/>`, x, y, s.ink(0), x, y, s.ink(1))
		}
	case "gears":
		s.glowAt(&b, 256, 256, 280)
		for i, c := range [][3]float64{{190, 200, 110}, {352, 296, 84}, {214, 392, 66}, {372, 120, 58}} {
			s.gear(&b, c[0], c[1], c[2], 10+2*i+int(6*heights[i]), i)
		}
	}
	b.WriteString(`</svg>`)
	return []byte(b.String())
}

// contour is the melody's height at n moments, 0 its lowest tone and 1 its highest.
func (s *song) contour(n int) []float64 {
	line := s.parts[0].notes
	lo, hi := line[0].midi, line[0].midi
	for _, x := range line {
		lo, hi = min(lo, x.midi), max(hi, x.midi)
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = (line[i*(len(line)-1)/(n-1)].midi - lo) / max(1, hi-lo)
	}
	return out
}

func (s *song) ink(i int) string { return s.art.ink[i%len(s.art.ink)] }

func (s *song) glowAt(b *strings.Builder, x, y, r float64) {
	fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="url(#glow)"/>`, x, y, r)
}

// curve writes a smooth line through the contour, from the left edge to the right.
func curve(b *strings.Builder, heights []float64, phase int, base, size float64) {
	n := len(heights)
	y := func(i int) float64 {
		a, c := heights[(i+phase)%n], heights[(i+phase+1)%n]
		return base - size*(0.5*(a+c)-0.5)
	}
	fmt.Fprintf(b, `%.1f`, y(0))
	const steps = 8
	w := float64(side) / steps
	for i := range steps {
		x := float64(i) * w
		fmt.Fprintf(b, `C%.1f %.1f %.1f %.1f %.1f %.1f`, x+w/2, y(3*i), x+w/2, y(3*i+3), x+w, y(3*i+3))
	}
}

// hill fills everything below the curve.
func (s *song) hill(b *strings.Builder, heights []float64, k int, base, size float64) {
	b.WriteString(`<path d="M0 `)
	curve(b, heights, 5*k, base, 2*size)
	fmt.Fprintf(b, `V%dH0z" fill="%s" fill-opacity=".9"/>`, side, s.ink(k))
}

// ribbon is a curtain of light that hangs from the curve.
func (s *song) ribbon(b *strings.Builder, heights []float64, k int, base, size, length float64) {
	fmt.Fprintf(b, `<linearGradient id="r%d" x1="0" y1="1" x2="0" y2="0"><stop offset="0" stop-color="%s" stop-opacity=".75"/><stop offset="1" stop-color="%s" stop-opacity="0"/></linearGradient><path d="M0 `, k, s.ink(k), s.ink(k))
	curve(b, heights, 7*k, base+length/2, size)
	fmt.Fprintf(b, `V%.1fH0z" fill="url(#r%d)"/>`, max(0, base-length), k)
}

func (s *song) gear(b *strings.Builder, cx, cy, r float64, teeth, k int) {
	b.WriteString(`<path d="`)
	for i := range teeth {
		for j, f := range []float64{0.86, 1, 1, 0.86} {
			a := 2 * math.Pi * (float64(i) + []float64{0.05, 0.2, 0.45, 0.6}[j]) / float64(teeth)
			cmd := "L"
			if i == 0 && j == 0 {
				cmd = "M"
			}
			fmt.Fprintf(b, `%s%.1f %.1f`, cmd, cx+f*r*math.Cos(a), cy+f*r*math.Sin(a))
		}
	}
	fmt.Fprintf(b, `z" fill="%s" fill-opacity=".9"/><circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/><circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`,
		s.ink(k), cx, cy, 0.55*r, s.art.top, cx, cy, 0.16*r, s.ink(k+1))
}

func boat(b *strings.Builder, x, y, size float64) {
	fmt.Fprintf(b, `<g transform="translate(%.1f %.1f) scale(%.2f)"><path d="M-34 0L34 0L22 18L-22 18z" fill="#fff"/><path d="M0 -34L0 0L-26 0z" fill="#f4f0e4"/><path d="M0 -34L0 0L22 0z" fill="#dfe8ea"/></g>`, x, y, size)
}
