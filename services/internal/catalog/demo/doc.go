// Package demo makes the pieces of music that Tutti plays when there is no other: a
// handful of short ones, written and synthesised by the code in this package, so that a
// laptop without a network has real sound and no recording has to be shipped.
//
// A Library renders a piece the first time somebody wants to hear it and keeps the last
// few. What a piece is called and how long it lasts is known without rendering.
//
// The way from paper to sound:
//
//	pieces_*.go    the scores, in a small notation read by score.go
//	voice.go       oscillators, envelopes, filters
//	instruments.go what each instrument makes of one note
//	mix.go         places the notes in time and space, adds echo and room, and brings
//	               the whole to one loudness without clipping
//	wav.go         the bytes of a 16-bit stereo WAV file
//	artwork.go     a picture for each piece, drawn from its melody
//
// Rendering is a pure function of the score: the same build gives the same bytes, on
// every machine of one architecture. That is why exponentials come from exp in voice.go:
// the standard library's may use other instructions, with other last digits, on another
// processor.
package demo
