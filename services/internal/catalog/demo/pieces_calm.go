package demo

// songs returns all pieces in the order they are listed.
func songs() []*song {
	return []*song{
		aurora(), lanternWalk(), copperKettle(), nightTram(),
		paperBoats(), signalFires(), clockworkGarden(), longWayHome(),
	}
}

// aurora: D major with a raised fourth now and then; bells over slow chords.
func aurora() *song {
	const harmony = `D3+A3+E4+F#4:4 | D3+B3+E4+G#4 | B2+F#3+A3+D4 | G2+D3+F#3+B3 |
		D3+A3+C#4+F#4 | F#2+C#3+A3+E4 | G2+D3+B3+D4 | A2+E3+A3+D4 | D3+A3+D4+F#4`
	return &song{
		name: "aurora", title: "Aurora", mood: "calm, wide, cold light",
		bpm: 66, bar: 4, echoBeats: 0.75, tail: 3.5,
		parts: []part{
			{inst: bell, gain: 0.5, pan: 0.1, room: 0.5, echo: 0.35, notes: play(0, 4, 0.62, `
				A5:1.5 F#5:.5 E5:2 | G#5:1.5 E5:.5 B5:2 | D6:1 C#6 A5 F#5, | B5:3 -:1 |
				A5:1.5 B5:.5 C#6:2! | A5:1 F#5 C#6:2 | D6:1.5 B5:.5 G5:2 | E5:2, A5:1 B5 | A5:4`)},
			{inst: pad, gain: 0.36, room: 0.45, notes: play(0, 4, 0.6, harmony)},
			{inst: pluck, gain: 0.25, pan: -0.35, room: 0.4, echo: 0.25,
				notes: shift(chords(0, 4, 0.42, 0.5, "0 1 2 3 2 1 ^0 2", harmony), 0, 12)},
			{inst: bass, gain: 0.34, notes: play(0, 4, 0.5, `
				D2:4 | D2 | B1 | G1 | D2 | F#1 | G1 | A1 | D2`)},
			{inst: voices, gain: 0.3, pan: 0.2, room: 0.6, notes: play(16, 4, 0.45, `
				F#4:4 | E4 | D4 | E4 | F#4`)},
		},
		art: art{motif: "curtains", top: "#06142e", bottom: "#0f4c5c", glow: "#8ef6c5", ink: []string{"#38e8a5", "#5bc0ff", "#b48cff"}},
	}
}

// lanternWalk: a waltz in A minor for plucked strings.
func lanternWalk() *song {
	return &song{
		name: "lantern-walk", title: "Lantern Walk", mood: "wistful waltz at dusk",
		bpm: 112, bar: 3, echoBeats: 1, tail: 2.8,
		parts: []part{
			{inst: pluck, gain: 0.62, pan: 0.15, room: 0.3, echo: 0.1, notes: play(0, 3, 0.8, `
				E5:2 D5:1 | C5 B4 A4 | A4:2 C5:1 | B4:2 G4:1 | E5:2 F5:1 | D5 E5 D5 | F5 E5 D5 | B4:2 -:1 |
				E5:2 D5:1 | C5 B4 A4 | A4:2 C5:1 | B4:2 E5:1 | C6:2! A5:1 | G5:2 E5:1 | F5 E5 D5 | G#4, B4 D5 |
				C5:2 E5:1 | A5:1.5! G5:.5 F5:1 | E5:2 G#4:1 | A4:3`)},
			{inst: marimba, gain: 0.3, pan: -0.3, room: 0.3, notes: chords(0, 3, 0.5, 1, "- * *", `
				C4+E4+A4:3 | C4+E4+A4 | C4+F4+A4 | B3+D4+G4 | C4+E4+G4 | B3+D4+G4 | A3+D4+F4 | B3+D4+G#4 |
				C4+E4+A4 | C4+E4+A4 | C4+F4+A4 | B3+E4+G4 | C4+F4+A4 | C4+E4+G4 | A3+D4+F4 | B3+E4+G#4 |
				C4+E4+A4 | C4+F4+A4 | B3+D4+G#4 | C4+E4+A4`)},
			{inst: bass, gain: 0.4, notes: play(0, 3, 0.62, `
				A2:2 -:1 | E2:2 -:1 | F2:2 -:1 | G2:2 -:1 | C3:2 -:1 | G2:2 -:1 | D2:2 -:1 | E2:2 -:1 |
				A2:2 -:1 | E2:2 -:1 | F2:2 -:1 | E2:2 -:1 | F2:2 -:1 | C3:2 -:1 | D2:2 -:1 | E2:2 -:1 |
				A2:2 -:1 | F2:2 -:1 | E2:2 -:1 | A1:3`)},
			{inst: voices, gain: 0.26, pan: -0.1, room: 0.5, notes: play(24, 3, 0.45, `
				A4:6 | F4:3 | E4 | A4 | G4 | F4 | E4 | E4 | F4 | D4 | E4`)},
		},
		art: art{motif: "lanterns", top: "#241338", bottom: "#8a3b5c", glow: "#ffd27a", ink: []string{"#ffb347", "#ff7f6b", "#ffe3a3"}},
	}
}

// paperBoats: a music box in F major with strings below.
func paperBoats() *song {
	const harmony = `F3+C4+A4:4 | D3+A3+F4 | Bb2+F3+D4 | C3+G3+E4 | F3+C4+A4 | A2+E3+C4 |
		Bb2+F3+D4 | C3+G3+Bb3 | D3+A3+F4 | Bb2+F3+D4 | C3+G3+E4 | F3+C4+A4`
	return &song{
		name: "paper-boats", title: "Paper Boats", mood: "tender, a music box by the water",
		bpm: 92, bar: 4, echoBeats: 1.5, tail: 3,
		parts: []part{
			{inst: bell, gain: 0.46, pan: 0.2, room: 0.45, echo: 0.25, notes: play(0, 4, 0.6, `
				C6:1 A5:.5 Bb5 C6:1 F6 | E6:.5 D6 A5:1 -:1 A5 | D6:1 Bb5:.5 C6 D6:1 F6 | E6:2 G5:1 - |
				C6:1 A5:.5 Bb5 C6:1 G6! | E6:1.5 C6:.5 A5:2 | D6:.5 E6 F6:1 D6 Bb5 | C6:3 -:1 |
				F6:1 E6:.5 D6 A5:2 | Bb5:.5 C6 D6:1 F5:2 | G5:.5 A5 Bb5:1 G5 E5 | F5:4`)},
			{inst: pluck, gain: 0.42, pan: -0.25, room: 0.3, notes: chords(0, 4, 0.55, 0.5, "0 1 2 1 ^0 2 1 2", harmony)},
			{inst: pad, gain: 0.24, room: 0.5, notes: play(0, 4, 0.5, harmony)},
			{inst: bass, gain: 0.28, notes: play(0, 4, 0.5, `
				F2:4 | D2 | Bb1 | C2 | F2 | A1 | Bb1 | C2 | D2 | Bb1 | C2 | F1`)},
		},
		art: art{motif: "waves", top: "#bfe3ea", bottom: "#3f7fa6", glow: "#fff6d8", ink: []string{"#6fb3d2", "#4188b0", "#2a5f8a"}},
	}
}

// longWayHome: a hymn in E flat.
func longWayHome() *song {
	const harmony = `Eb3+Bb3+G4:4 | C3+G3+Eb4 | Ab2+Eb3+C4 | Bb2+F3+D4 | G2+D3+Bb3+G4 | C3+G3+Eb4 |
		F2+C3+Ab3+F4:2 Bb2+F3+Ab3+D4 | Eb3+Bb3+G4:4 | Ab2+Eb3+C4+Ab4:2 Bb2+F3+Bb3+F4 | Eb3+Bb3+Eb4+G4:4`
	return &song{
		name: "long-way-home", title: "Long Way Home", mood: "broad, warm, a hymn at the end of a day",
		bpm: 76, bar: 4, echoBeats: 1, tail: 2.6,
		parts: []part{
			{inst: voices, gain: 0.5, pan: 0.1, room: 0.5, notes: play(0, 4, 0.7, `
				Eb4:1 F4 G4:2 | G4:1 Ab4 G4 Eb4 | C5:2 Bb4:1 Ab4 | Bb4:3 -:1 |
				Bb4:1 C5 D5:2! | Eb5:2! D5:1 C5 | Ab4:1 C5 Bb4 Ab4 | G4:3 -:1 |
				C5:1 Bb4 Ab4 F4 | Eb4:4`)},
			{inst: organ, gain: 0.26, pan: -0.1, room: 0.4, notes: play(0, 4, 0.55, harmony)},
			{inst: pluck, gain: 0.22, pan: -0.4, room: 0.4, echo: 0.2, notes: shift(chords(16, 4, 0.45, 0.5, "0 1 2 1", `
				G2+D3+Bb3:4 | C3+G3+Eb4 | F2+C3+Ab3:2 Bb2+F3+D4 | Eb3+Bb3+G4:4 | Ab2+Eb3+C4:2 Bb2+F3+D4 | Eb3+Bb3+G4:4`), 0, 12)},
			{inst: bass, gain: 0.36, notes: play(0, 4, 0.6, `
				Eb2:4 | C2 | Ab1 | Bb1 | G1 | C2 | F1:2 Bb1 | Eb2:4 | Ab1:2 Bb1 | Eb1:4`)},
		},
		art: art{motif: "hills", top: "#f6b26b", bottom: "#7b3f61", glow: "#fff2c9", ink: []string{"#5c2a4d", "#8f4a5f", "#c46d5e"}},
	}
}
