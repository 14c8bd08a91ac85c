package demo

// copperKettle: a bright tune in G for marimba and shaker.
func copperKettle() *song {
	const end = 64
	return &song{
		name: "copper-kettle", title: "Copper Kettle", mood: "cheerful, a kitchen in the morning",
		bpm: 132, bar: 4, swing: 0.08, echoBeats: 0.75, tail: 2.2,
		parts: []part{
			{inst: marimba, gain: 0.62, pan: 0.15, room: 0.25, echo: 0.08, notes: play(0, 4, 0.8, `
				G5:.5 D5 B4 D5 G5:1 B5 | A5:.5 G5 E5 G5 C6:1! A5 | B5:.5 A5 G5 A5 B5:1 D5 | F#5:.5 G5 A5:1 D5:2 |
				G5:.5 D5 B4 D5 G5:1 B5 | A5:.5 G5 E5 G5 C6:1! E6 | D6:.5 C6 B5 A5 F#5:1 A5 | G5:2 -:2 |
				E5:.5 G5 B5:1 B5:.5 A5 G5:1 | E5:.5 G5 C6:1 C6:.5 B5 G5:1 | D5:.5 G5 B5:1 A5:.5 G5 F#5:1 | E5:.5 F#5 A5:1 D5:2 |
				G5:.5 D5 B4 D5 G5:1 B5 | A5:.5 G5 E5 G5 C6:1! E6 | D6:.5 B5 G5 B5 A5 F#5 D5 F#5 | G5:1 D5 G4:2`)},
			{inst: pluck, gain: 0.36, pan: -0.35, room: 0.2, notes: chords(0, 4, 0.55, 0.5, "- 1 - 2 - 1 2 1", `
				G3+B3+D4:4 | C4+E4+G4 | G3+B3+D4 | D4+F#4+A4 | G3+B3+D4 | C4+E4+G4 | D4+F#4+A4 | G3+B3+D4 |
				E3+G3+B3 | C4+E4+G4 | G3+B3+D4 | D4+F#4+A4 | G3+B3+D4 | C4+E4+G4 | D4+F#4+A4 | G3+B3+D4`)},
			{inst: bass, gain: 0.42, notes: play(0, 4, 0.7, `
				G2:1 - D2 - | C2 - G2 - | G2 - D2 - | D2 - A2 - | G2 - D2 - | C2 - G2 - | D2 - F#2 - | G2 D2 G1 - |
				E2 - B1 - | C2 - G2 - | G2 - D2 - | D2 - A1 - | G2 - D2 - | C2 - E2 - | D2 - D2 - | G2 D2 G1:2`)},
			{inst: shaker, gain: 0.32, pan: 0.4, notes: drum(8, end-2, 4, 0.55, "x o X o x o X o")},
			{inst: block, gain: 0.2, pan: -0.5, room: 0.3, notes: drum(16, end-4, 4, 0.6, "..x. .x.. ..x. x...")},
			{inst: kick, gain: 0.34, notes: drum(16, end-2, 4, 0.6, "x...x...")},
		},
		art: art{motif: "rings", top: "#fff1d6", bottom: "#f0a35e", glow: "#ffffff", ink: []string{"#b5532a", "#d97b3f", "#7a3418"}},
	}
}

// nightTram: electric piano and a late drummer, E minor going to D.
func nightTram() *song {
	const end = 40
	return &song{
		name: "night-tram", title: "Night Tram", mood: "late, easy, wet streets",
		bpm: 82, bar: 4, swing: 0.14, echoBeats: 0.75, tail: 2.8,
		parts: []part{
			{inst: tine, gain: 0.42, pan: 0.2, room: 0.3, echo: 0.22, notes: play(0, 4, 0.72, `
				B4:1.5 D5:.5 E5:1 F#5 | E5:.5 C#5 B4:2 -:1 | A4:1.5 C#5:.5 F#5:1 E5 | D5:.5 C#5 B4:2 -:1 |
				G5:1.5! F#5:.5 E5:1 D5 | C#5:.5 E5 G5:2 F#5:1 | E5:.5 D5 C#5:1 A4:2 | B4:1 D5 C#5 A4 |
				B4:1.5 D5:.5 E5:2 | F#5:4,`)},
			{inst: tine, gain: 0.3, pan: -0.25, room: 0.25, notes: play(0, 4, 0.55, `
				G3+B3+D4+F#4:1.5 G3+B3+D4+F#4:2, -:.5 | G3+B3+C#4+F#4:1.5 G3+B3+C#4+F#4:2, -:.5 |
				F#3+A3+C#4+E4:1.5 F#3+A3+C#4+E4:2, -:.5 | F#3+A3+B3+D4:1.5 F#3+A3+B3+D4:2, -:.5 |
				G3+B3+D4+F#4:1.5 G3+B3+D4+F#4:2, -:.5 | G3+B3+C#4+E4:1.5 G3+B3+C#4+E4:2, -:.5 |
				F#3+A3+C#4+E4:1.5 F#3+A3+C#4+E4:2, -:.5 | F#3+A3+B3+D4:1.5 F#3+A3+B3+D4:2, -:.5 |
				G3+B3+D4+F#4:4 | F#3+A3+C#4+E4`)},
			{inst: bass, gain: 0.46, notes: play(0, 4, 0.7, `
				E2:1.5 E2:.5 - B1 D2:1 | A1:1.5 A1:.5 - E2 C#2:1 | D2:1.5 D2:.5 - A1 C#2:1 | B1:1.5 B1:.5 - F#2 B1:1 |
				E2:1.5 E2:.5 - B1 D2:1 | A1:1.5 A1:.5 - E2 C#2:1 | D2:1.5 D2:.5 - A1 C#2:1 | B1:1.5 B1:.5 - F#2 B1:1 |
				E2:2 A1 | D2:4`)},
			{inst: kick, gain: 0.5, notes: drum(0, end-4, 4, 0.75, "X....o....x.....")},
			{inst: snare, gain: 0.28, pan: 0.1, room: 0.25, notes: drum(0, end-4, 4, 0.6, "....x.......x..o")},
			{inst: hat, gain: 0.26, pan: -0.3, notes: drum(0, end-4, 4, 0.5, "x.o.x.o.x.o.x.oo")},
			{inst: pad, gain: 0.18, room: 0.4, notes: play(16, 4, 0.45, `
				G3+B3+D4:4 | G3+A3+C#4 | F#3+A3+C#4 | F#3+B3+D4 | G3+B3+D4 | F#3+A3+D4`)},
		},
		art: art{motif: "rain", top: "#0b1026", bottom: "#2b2d5b", glow: "#ffb86b", ink: []string{"#6c7ae0", "#3bd1d6", "#f47fa8"}},
	}
}

// signalFires: C minor, straight and driving.
func signalFires() *song {
	const (
		end     = 64
		harmony = `C4+Eb4+G4:4 | C4+Eb4+G4 | Ab3+C4+Eb4 | Bb3+D4+F4 | C4+Eb4+G4 | C4+Eb4+G4 | Ab3+C4+Eb4 | G3+B3+D4 |
			F3+Ab3+C4 | Ab3+C4+Eb4 | Eb4+G4+Bb4 | Bb3+D4+F4 | F3+Ab3+C4 | Ab3+C4+Eb4 | G3+B3+D4 | C4+Eb4+G4`
	)
	return &song{
		name: "signal-fires", title: "Signal Fires", mood: "driving, bright, from hill to hill",
		bpm: 124, bar: 4, echoBeats: 0.75, tail: 2.5,
		parts: []part{
			{inst: lead, gain: 0.4, pan: 0.1, room: 0.3, echo: 0.3, notes: join(
				play(0, 4, 0.6, `C5:2 -:1 G4, | Eb5:2 D5:1 C5, | C5:3 -:1 | D5:2, F5`),
				play(16, 4, 0.75, `
				G5:1.5 F5:.5 Eb5:1 D5 | C5:1 D5:.5 Eb5 G4:2 | Ab4:1 C5 Eb5 G5 | F5:1.5 D5:.5 B4:2 |
				C5:1.5 Ab4:.5 F5:2 | Eb5:1 C5 Ab5:2! | G5:1.5 Bb5:.5 Eb5:2 | F5:1 D5 Bb4:2 |
				Ab5:1.5! G5:.5 F5:1 C5 | Eb5:1 F5 G5 Ab5 | G5:2 D5:1 B4 | C5:4`))},
			{inst: arp, gain: 0.3, pan: -0.3, room: 0.2, echo: 0.18, notes: shift(chords(0, 4, 0.6, 0.25, "0 2 1 ^0 2 1 ^0 2", harmony), 0, 12)},
			{inst: pad, gain: 0.2, room: 0.4, notes: play(0, 4, 0.5, harmony)},
			{inst: bass, gain: 0.38, notes: chords(8, 4, 0.7, 0.5, "0 0 ^0 0 0 ^0 0 ^0", `
				Ab1:4 | Bb1 | C2 | C2 | Ab1 | G1 | F1 | Ab1 | Eb2 | Bb1 | F1 | Ab1 | G1 | C2`)},
			{inst: kick, gain: 0.55, notes: drum(8, end-4, 4, 0.8, "x.x.x.x.")},
			{inst: snare, gain: 0.26, room: 0.3, notes: drum(16, end-4, 4, 0.65, "..x...x.")},
			{inst: hat, gain: 0.26, pan: 0.25, notes: drum(16, end-4, 4, 0.55, "o.x.o.x.o.x.o.xx")},
		},
		art: art{motif: "fires", top: "#14060f", bottom: "#5c1a2e", glow: "#ff9a3c", ink: []string{"#ff5e3a", "#ffc857", "#2b0f1e"}},
	}
}

// clockworkGarden: five beats to the bar, D dorian, many small things that tick.
func clockworkGarden() *song {
	const (
		end     = 80
		harmony = `D3+A3+F4:5 | D3+A3+F4 | G3+B3+D4 | G3+B3+D4 | C3+G3+E4 | C3+G3+E4 | A2+E3+C4 | A2+E3+C4 |
			F3+C4+A4 | F3+C4+A4 | G3+D4+B4 | G3+D4+B4 | D3+A3+F4 | C3+G3+E4 | G3+B3+D4 | D3+A3+F4`
	)
	return &song{
		name: "clockwork-garden", title: "Clockwork Garden", mood: "curious, five to the bar",
		bpm: 152, bar: 5, echoBeats: 1.5, tail: 2.5,
		parts: []part{
			{inst: marimba, gain: 0.55, pan: 0.2, room: 0.3, echo: 0.12, notes: play(0, 5, 0.78, `
				D5:1 F5 A5 G5:2 | E5:1 F5 D5 A4:2 | B4:1 D5 G5 F5:2 | D5:1 E5 B4 G4:2 |
				E5:1 G5 C6 B5:2! | G5:1 A5 E5 C5:2 | A5:1 C6 E6 D6:2! | C6:1 A5 G5 E5:2 |
				F5:1 A5 C6 A5:2 | G5:1 F5 E5 C5:2 | B5:1 G5 D5 B4:2 | D5:1 G5 A5 B5:2 |
				A5:1 F5 D5 A5:2! | G5:1 E5 C5 G5:2 | F5:1 D5 B4 C#5:2 | D5:5`)},
			{inst: pluck, gain: 0.4, pan: -0.3, room: 0.25, notes: chords(0, 5, 0.55, 0.5, "0 2 1 2 ^0 1 2 1 ^0 2", harmony)},
			{inst: bass, gain: 0.38, notes: chords(0, 5, 0.65, 1, "0 - - 0 -", `
				D2:5 | D2 | G2 | G2 | C2 | C2 | A1 | A1 | F2 | F2 | G2 | G2 | D2 | C2 | G1 | D2`)},
			{inst: block, gain: 0.22, pan: 0.5, room: 0.3, notes: drum(10, end-5, 5, 0.55, "x..o. x.x..")},
			{inst: hat, gain: 0.2, pan: -0.5, notes: drum(20, end-5, 5, 0.45, "x.o.x.x.o.")},
			{inst: kick, gain: 0.36, notes: drum(20, end-5, 5, 0.65, "x..x.")},
			{inst: bell, gain: 0.22, pan: -0.15, room: 0.5, echo: 0.3, notes: play(40, 5, 0.45, `
				C6:5 | A5 | D6 | B5 | A5 | G5 | F5 | D6`)},
		},
		art: art{motif: "gears", top: "#e8f3e1", bottom: "#5b8c6a", glow: "#fdfbe7", ink: []string{"#2f5d50", "#d9a441", "#8fb996"}},
	}
}
