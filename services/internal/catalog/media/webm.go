package media

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Ids of the elements that matter, as they stand in the file.
const (
	ebmlMagic   = 0x1A45DFA3
	ebmlSegment = 0x18538067
	ebmlInfo    = 0x1549A966
	ebmlScale   = 0x2AD7B1
	ebmlLength  = 0x4489
	ebmlTitle   = 0x7BA9

	ebmlElements = 128     // looked at on one level before giving up
	ebmlText     = 1 << 10 // longest title read
)

// elements calls visit for each element between two offsets, until it returns false. The
// offsets that visit gets are in order and within those two.
func (f file) elements(from, to int64, visit func(id uint64, from, to int64) (bool, error)) error {
	for n := 0; from < to && n < ebmlElements; n++ {
		h, err := f.upTo(from, 12)
		if err != nil {
			return err
		}
		id, k := vint(h, false)
		size, m := vint(h[k:], true)
		if k == 0 || k > 4 || m == 0 {
			return fmt.Errorf("%w: a broken element", ErrFormat)
		}
		if from += int64(k + m); from > to {
			return fmt.Errorf("%w: an element that reaches out of the one it is in", ErrFormat)
		}
		end := to
		if unknown := size == 1<<(7*m)-1; !unknown && size < uint64(to-from) {
			end = from + int64(size)
		}
		more, err := visit(id, from, end)
		if err != nil || !more {
			return err
		}
		from = end
	}
	return nil
}

// vint reads a number of variable length and its length in bytes, 0 if there is none.
// The marker of the length stays in ids and goes in sizes.
func vint(b []byte, drop bool) (uint64, int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n := 1
	for m := byte(0x80); b[0]&m == 0; m >>= 1 {
		n++
	}
	if len(b) < n {
		return 0, 0
	}
	v := uint64(b[0])
	if drop {
		v &= 1<<(8-n) - 1
	}
	for _, x := range b[1:n] {
		v = v<<8 | uint64(x)
	}
	return v, n
}

// webm looks for the information about the segment, which writers put near its start.
func webm(f file) (Info, error) {
	info := Info{Kind: "webm"}
	scale, length := 1e6, 0.0
	found := false
	err := f.elements(0, f.size, func(id uint64, from, to int64) (bool, error) {
		if id != ebmlSegment {
			return true, nil
		}
		err := f.elements(from, to, func(id uint64, from, to int64) (bool, error) {
			if id != ebmlInfo {
				return true, nil
			}
			found = true
			return false, f.elements(from, to, func(id uint64, from, to int64) (bool, error) {
				switch id {
				case ebmlScale, ebmlLength, ebmlTitle:
				default:
					return true, nil
				}
				b, err := f.upTo(from, int(min(to-from, ebmlText)))
				if err != nil {
					return false, err
				}
				switch {
				case id == ebmlTitle:
					info.Title = string(b)
				case id == ebmlScale && len(b) <= 8:
					var v uint64
					for _, x := range b {
						v = v<<8 | uint64(x)
					}
					scale = float64(v)
				case id == ebmlLength && len(b) == 4:
					length = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
				case id == ebmlLength && len(b) == 8:
					length = math.Float64frombits(binary.BigEndian.Uint64(b))
				}
				return true, nil
			})
		})
		return false, err
	})
	if err != nil {
		return Info{}, err
	}
	if !found {
		return Info{}, ErrNoLength
	}
	info.Duration = span(length*scale, 1e9)
	return info, nil
}
