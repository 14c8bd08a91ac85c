package subjects

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Prefixes of ids. An id says what it names.
const (
	PrefixRoom    = "room"
	PrefixUser    = "user"
	PrefixCommand = "cmd"
	PrefixSession = "ses"
	PrefixMessage = "msg"

	PrefixPlaylist = "playlist"
)

// ErrBadID is returned for text that is not an id of the wanted kind.
var ErrBadID = errors.New("subjects: not a valid id")

// crockford is Crockford's base 32 alphabet: no I, L, O or U, and in ASCII order, so
// that encoded ids sort as their bytes do.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const idBodyLen = 26 // 128 bits, five to a character

var crockfordValue = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(crockford) {
		t[crockford[i]] = byte(i)
	}
	return t
}()

// NewID makes an id "<prefix>_<26 characters>": 48 bits of Unix milliseconds, then 80
// random bits, so that ids of one prefix sort by the time they were made (the layout
// of a ULID). It panics only if the system has no randomness.
func NewID(prefix string, at time.Time) string {
	var b [16]byte
	if _, err := rand.Read(b[6:]); err != nil {
		panic("subjects: no system randomness: " + err.Error())
	}
	putMillis(&b, at.UnixMilli())
	return encodeID(prefix, b)
}

// DeriveID makes the id that follows from its causes: the same prefix, time and parts
// give the same id on every machine. Reactions use it, so that an event handled twice
// sends its command under one id.
func DeriveID(prefix string, at time.Time, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	var b [16]byte
	copy(b[6:], h.Sum(nil))
	putMillis(&b, at.UnixMilli())
	return encodeID(prefix, b)
}

// IDTime returns the time in an id that NewID or DeriveID made, to the millisecond.
// It returns ErrBadID for anything else.
func IDTime(id string) (time.Time, error) {
	_, ms, err := splitID(id)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(ms), nil
}

// CheckID returns nil if id is well formed and has the wanted prefix, and an error that
// wraps ErrBadID otherwise.
func CheckID(prefix, id string) error {
	p, _, err := splitID(id)
	if err != nil {
		return err
	}
	if p != prefix {
		return fmt.Errorf("%w: want prefix %q", ErrBadID, prefix)
	}
	return nil
}

func putMillis(b *[16]byte, ms int64) {
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], uint64(ms))
	copy(b[:6], t[2:])
}

func encodeID(prefix string, b [16]byte) string {
	out := make([]byte, 0, len(prefix)+1+idBodyLen)
	out = append(out, prefix...)
	out = append(out, '_')
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	for i := idBodyLen - 1; i >= 0; i-- {
		shift := uint(i * 5)
		var v uint64
		switch {
		case shift >= 64:
			v = hi >> (shift - 64)
		case shift > 59:
			v = lo>>shift | hi<<(64-shift)
		default:
			v = lo >> shift
		}
		out = append(out, crockford[v&31])
	}
	return string(out)
}

func splitID(id string) (prefix string, ms int64, err error) {
	i := strings.LastIndexByte(id, '_')
	if i <= 0 || len(id)-i-1 != idBodyLen || len(id) > MaxIDBytes {
		return "", 0, ErrBadID
	}
	for _, c := range []byte(id[:i]) {
		if c < 'a' || c > 'z' {
			return "", 0, ErrBadID
		}
	}
	body := id[i+1:]
	if body[0] > '7' { // more than 128 bits
		return "", 0, ErrBadID
	}
	for j := range idBodyLen {
		v := crockfordValue[body[j]]
		if v == 0xff {
			return "", 0, ErrBadID
		}
		if j < 10 {
			ms = ms<<5 | int64(v)
		}
	}
	return id[:i], ms, nil
}

// IDBytes gives the 128 bits of an id: 48 of Unix milliseconds, big endian, then 80 random
// ones.
func IDBytes(id string) ([16]byte, error) {
	var b [16]byte
	if _, _, err := splitID(id); err != nil {
		return b, err
	}
	var hi, lo uint64
	for _, c := range []byte(id[len(id)-idBodyLen:]) {
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(crockfordValue[c])
	}
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return b, nil
}
