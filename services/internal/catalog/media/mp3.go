package media

import (
	"encoding/binary"
	"fmt"
)

// frame is the header of one frame of MPEG audio.
type frame struct {
	bytes   int // of the whole frame
	samples int
	rate    int // samples per second
	side    int // bytes of side information after the header
	version byte
	layer   byte
}

// Bit rates in kbit/s by table and index: MPEG-1 layers I to III, MPEG-2 layers I and
// II/III.
var bitRates = [5][16]int{
	{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

const (
	mpeg25, mpeg2, mpeg1    = 0, 2, 3
	layer3, layer2, layer1  = 1, 2, 3
	mono                    = 3
	id3Header, id3v1Trailer = 10, 128
)

// parseFrame reads a frame header from the first four bytes of b.
func parseFrame(b []byte) (frame, bool) {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return frame{}, false
	}
	version, layer := b[1]>>3&3, b[1]>>1&3
	rateIndex, bitIndex, pad := b[2]>>2&3, b[2]>>4, int(b[2]>>1&1)
	if version == 1 || layer == 0 || rateIndex == 3 || bitIndex == 0 || bitIndex == 15 {
		return frame{}, false
	}
	f := frame{version: version, layer: layer, rate: [3]int{44100, 48000, 32000}[rateIndex]}
	table := int(layer1 - layer)
	switch version {
	case mpeg2, mpeg25:
		f.rate /= 2
		if version == mpeg25 {
			f.rate /= 2
		}
		table = 3
		if layer != layer1 {
			table = 4
		}
	}
	bits := bitRates[table][bitIndex] * 1000
	switch {
	case layer == layer1:
		f.samples = 384
		f.bytes = (12*bits/f.rate + pad) * 4
	case layer == layer3 && version != mpeg1:
		f.samples = 576
		f.bytes = 72*bits/f.rate + pad
	default:
		f.samples = 1152
		f.bytes = 144*bits/f.rate + pad
	}
	switch one := b[3]>>6 == mono; {
	case version == mpeg1 && one, version != mpeg1 && !one:
		f.side = 17
	case version == mpeg1:
		f.side = 32
	default:
		f.side = 9
	}
	return f, f.bytes > 4
}

// id3Size is the size of an ID3v2 tag whose header is b.
func id3Size(b []byte) int64 {
	n := int64(b[6]&0x7f)<<21 | int64(b[7]&0x7f)<<14 | int64(b[8]&0x7f)<<7 | int64(b[9]&0x7f)
	n += id3Header
	if b[5]&0x10 != 0 { // has a footer
		n += id3Header
	}
	return n
}

const (
	mp3Tags   = 4        // ID3v2 tags that are skipped at most
	mp3Search = 16 << 10 // bytes searched for the first frame
	mp3Sample = 32 << 10 // bytes read to estimate the bit rate
)

func mp3(f file) (Info, error) {
	var start int64
	for range mp3Tags {
		b, err := f.bytes(start, id3Header)
		if err != nil {
			return Info{}, err
		}
		if string(b[:3]) != "ID3" {
			break
		}
		start += id3Size(b)
	}
	b, err := f.upTo(start, mp3Search+mp3Sample)
	if err != nil {
		return Info{}, err
	}
	at, first, ok := firstFrame(b)
	if !ok {
		return Info{}, fmt.Errorf("%w: no sound where an MP3 file has it", ErrFormat)
	}
	start += int64(at)
	b = b[at:]
	if n := countedSamples(b, first); n > 0 {
		return Info{Kind: "mp3", Duration: span(n, float64(first.rate))}, nil
	}
	end := f.size
	if t, err := f.upTo(max(start, f.size-id3v1Trailer), 3); err == nil && string(t) == "TAG" {
		end -= id3v1Trailer
	}
	var frames, bytes int
	for i := 0; i+4 <= len(b); {
		fr, ok := parseFrame(b[i:])
		if !ok || fr.rate != first.rate || fr.layer != first.layer {
			break
		}
		frames++
		bytes += fr.bytes
		i += fr.bytes
	}
	total := float64(end-start) / float64(bytes) * float64(frames)
	return Info{Kind: "mp3", Duration: span(total*float64(first.samples), float64(first.rate))}, nil
}

// firstFrame finds the first frame that another one like it follows, or that ends where
// b does.
func firstFrame(b []byte) (int, frame, bool) {
	for i := 0; i+4 <= len(b) && i < mp3Search; i++ {
		fr, ok := parseFrame(b[i:])
		if !ok {
			continue
		}
		next := i + fr.bytes
		if next == len(b) {
			return i, fr, true
		}
		if next+4 > len(b) {
			continue
		}
		if n, ok := parseFrame(b[next:]); ok && n.rate == fr.rate && n.layer == fr.layer && n.version == fr.version {
			return i, fr, true
		}
	}
	return 0, frame{}, false
}

// countedSamples reads the number of samples from the header that encoders put into the
// first frame, less the silence they say they added; 0 if there is none.
func countedSamples(b []byte, first frame) float64 {
	if x := 4 + first.side; len(b) >= x+12 && (string(b[x:x+4]) == "Xing" || string(b[x:x+4]) == "Info") {
		flags := binary.BigEndian.Uint32(b[x+4:])
		if flags&1 == 0 {
			return 0
		}
		n := float64(binary.BigEndian.Uint32(b[x+8:])) * float64(first.samples)
		lame := x + 12
		for bit, size := range map[uint32]int{2: 4, 4: 100, 8: 4} {
			if flags&bit != 0 {
				lame += size
			}
		}
		if len(b) >= lame+24 && (string(b[lame:lame+4]) == "LAME" || string(b[lame:lame+4]) == "Lavc" || string(b[lame:lame+4]) == "Lavf") {
			gaps := b[lame+21 : lame+24]
			n -= float64(int(gaps[0])<<4|int(gaps[1])>>4) + float64(int(gaps[1]&15)<<8|int(gaps[2]))
		}
		return n
	}
	const vbri = 4 + 32
	if len(b) >= vbri+18 && string(b[vbri:vbri+4]) == "VBRI" {
		return float64(binary.BigEndian.Uint32(b[vbri+14:])) * float64(first.samples)
	}
	return 0
}
