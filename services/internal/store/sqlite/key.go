package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/tuttihq/tutti/services/internal/store"
)

// An index entry is one byte string whose order is that of the values in it and then
// of the id. Each value is a tag and its bytes: a boolean one byte, a number eight
// whose unsigned order is that of floats, a string its bytes, with 00 written as 00
// FF, up to a closing 00. No tag is above 03, no byte of UTF-8 above F4: so FF ends a
// range behind everything that begins alike.
const (
	tagBool   = 0x01
	tagNumber = 0x02
	tagString = 0x03
	tagAbove  = 0xff
)

func appendKey(b []byte, key store.Key) []byte {
	for _, v := range key {
		b = appendValue(b, v)
	}
	return b
}

func entry(key store.Key, id string) []byte {
	return appendValue(appendKey(nil, key), id)
}

func appendValue(b []byte, v any) []byte {
	switch x := v.(type) {
	case bool:
		if x {
			return append(b, tagBool, 1)
		}
		return append(b, tagBool, 0)
	case float64:
		bits := math.Float64bits(x)
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(append(b, tagNumber), bits)
	default:
		s, _ := v.(string)
		return append(appendString(b, s), 0)
	}
}

// appendString appends a string without its end, as a prefix to search for.
func appendString(b []byte, s string) []byte {
	b = append(b, tagString)
	for i := range len(s) {
		b = append(b, s[i])
		if s[i] == 0 {
			b = append(b, 0xff)
		}
	}
	return b
}

var errEntry = errors.New("sqlite: malformed index entry")

// parseEntry takes an entry apart into its place.
func parseEntry(b []byte) (store.Place, error) {
	var key store.Key
	for len(b) > 0 {
		tag := b[0]
		b = b[1:]
		switch tag {
		case tagBool:
			if len(b) < 1 || b[0] > 1 {
				return store.Place{}, errEntry
			}
			key, b = append(key, b[0] == 1), b[1:]
		case tagNumber:
			if len(b) < 8 {
				return store.Place{}, errEntry
			}
			bits := binary.BigEndian.Uint64(b)
			if bits>>63 == 1 {
				bits &^= 1 << 63
			} else {
				bits = ^bits
			}
			key, b = append(key, math.Float64frombits(bits)), b[8:]
		case tagString:
			s, rest, err := parseString(b)
			if err != nil {
				return store.Place{}, err
			}
			key, b = append(key, s), rest
		default:
			return store.Place{}, errEntry
		}
	}
	if len(key) == 0 {
		return store.Place{}, errEntry
	}
	id, ok := key[len(key)-1].(string)
	if !ok {
		return store.Place{}, errEntry
	}
	return store.Place{Key: key[:len(key)-1], ID: id}, nil
}

func parseString(b []byte) (s string, rest []byte, err error) {
	var out []byte
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return "", nil, errEntry
		}
		out = append(out, b[:i]...)
		if i+1 < len(b) && b[i+1] == 0xff {
			out = append(out, 0)
			b = b[i+2:]
			continue
		}
		return string(out), b[i+1:], nil
	}
}
