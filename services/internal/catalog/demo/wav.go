package demo

import (
	"encoding/binary"
	"math"
)

const (
	wavHeader   = 44
	bytesAFrame = 4 // two channels of 16 bits
)

// wavSize is the size of the file for so many frames.
func wavSize(frames int) int { return wavHeader + frames*bytesAFrame }

// wav makes a WAV file of two channels, values within ±1.
func wav(left, right []float32) []byte {
	data := len(left) * bytesAFrame
	b := make([]byte, 0, wavSize(len(left)))
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(wavHeader-8+data))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint32(b, SampleRate)
	b = binary.LittleEndian.AppendUint32(b, SampleRate*bytesAFrame)
	b = binary.LittleEndian.AppendUint16(b, bytesAFrame)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(data))
	for i := range left {
		b = binary.LittleEndian.AppendUint16(b, sample(left[i]))
		b = binary.LittleEndian.AppendUint16(b, sample(right[i]))
	}
	return b
}

func sample(v float32) uint16 {
	x := math.Round(float64(v) * 32767)
	return uint16(int16(max(-32768, min(32767, x))))
}
