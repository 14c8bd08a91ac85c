package media

import (
	"encoding/binary"
	"fmt"
)

const mp4Boxes = 256 // boxes looked at on one level before giving up

// box is one box of an MP4 file.
type box struct {
	name     string
	from, to int64 // its content
}

// boxes calls visit for each box between two offsets, until it returns false. The
// content of a box is within those two.
func (f file) boxes(from, to int64, visit func(box) (bool, error)) error {
	for n := 0; from+8 <= to && n < mp4Boxes; n++ {
		h, err := f.upTo(from, 16)
		if err != nil {
			return err
		}
		if len(h) < 8 {
			return nil
		}
		size, head := int64(binary.BigEndian.Uint32(h)), int64(8)
		switch size {
		case 0:
			size = to - from
		case 1:
			if len(h) < 16 {
				return fmt.Errorf("%w: a broken box", ErrFormat)
			}
			size, head = int64(binary.BigEndian.Uint64(h[8:])), 16
		}
		if size < head {
			return fmt.Errorf("%w: a box smaller than its own header", ErrFormat)
		}
		end := to
		if size < to-from {
			end = from + size
		}
		if from+head > end {
			return fmt.Errorf("%w: a box that reaches out of the one it is in", ErrFormat)
		}
		more, err := visit(box{string(h[4:8]), from + head, end})
		if err != nil || !more {
			return err
		}
		from = end
	}
	return nil
}

// mp4 looks for the movie header, and in fragmented files for the length of all
// fragments.
func mp4(f file) (Info, error) {
	var scale, length, fragments uint64
	var movie box
	err := f.boxes(0, f.size, func(b box) (bool, error) {
		if b.name != "moov" {
			return true, nil
		}
		movie = b
		err := f.boxes(b.from, b.to, func(b box) (bool, error) {
			var err error
			switch b.name {
			case "mvhd":
				scale, length, err = f.movieHeader(b)
			case "mvex":
				err = f.boxes(b.from, b.to, func(b box) (bool, error) {
					if b.name != "mehd" {
						return true, nil
					}
					var err error
					fragments, err = f.fragmentsLength(b)
					return false, err
				})
			}
			return length == 0 && err == nil, err
		})
		return false, err
	})
	if err != nil {
		return Info{}, err
	}
	if length == 0 {
		length = fragments
	}
	if scale == 0 || length == 0 {
		return Info{}, ErrNoLength
	}
	info := Info{Kind: "mp4", Duration: span(float64(length), float64(scale))}
	readMovieTags(f, movie, &info)
	return info, nil
}

func (f file) movieHeader(b box) (scale, length uint64, err error) {
	h, err := f.bytes(b.from, 32)
	if err != nil {
		return 0, 0, err
	}
	if h[0] == 1 {
		scale, length = uint64(binary.BigEndian.Uint32(h[20:])), binary.BigEndian.Uint64(h[24:])
		if length == 1<<64-1 {
			length = 0
		}
		return scale, length, nil
	}
	scale, length = uint64(binary.BigEndian.Uint32(h[12:])), uint64(binary.BigEndian.Uint32(h[16:]))
	if length == 1<<32-1 {
		length = 0
	}
	return scale, length, nil
}

func (f file) fragmentsLength(b box) (uint64, error) {
	h, err := f.upTo(b.from, 12)
	if err != nil {
		return 0, err
	}
	switch {
	case len(h) >= 12 && h[0] == 1:
		return binary.BigEndian.Uint64(h[4:]), nil
	case len(h) >= 8:
		return uint64(binary.BigEndian.Uint32(h[4:])), nil
	}
	return 0, nil
}
