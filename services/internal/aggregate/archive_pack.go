package aggregate

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// archivedEntry is an entry as the archive holds it.
type archivedEntry struct {
	Entry
	// Time is when it was stored at first.
	Time time.Time
}

// A pack is one message of the archive: consecutive entries of one aggregate's log. It is
//
//	tutti-log 1\n
//
// and then for each entry its sequence, the time when it was stored in Unix nanoseconds and the
// length of its bytes, in decimals, then these bytes:
//
//	<seq> <time> <length>\n<bytes>\n
const packHead = "tutti-log 1\n"

// packEntryMost is more than what an entry takes beside its bytes.
const packEntryMost = 64

var errPack = errors.New("not a pack of log entries")

// appendPacked appends an entry to a pack, which is begun if it is empty.
func appendPacked(pack []byte, e archivedEntry) []byte {
	if len(pack) == 0 {
		pack = append(pack, packHead...)
	}
	pack = strconv.AppendUint(pack, e.Seq, 10)
	pack = append(pack, ' ')
	pack = strconv.AppendInt(pack, e.Time.UnixNano(), 10)
	pack = append(pack, ' ')
	pack = strconv.AppendInt(pack, int64(len(e.Data)), 10)
	pack = append(pack, '\n')
	pack = append(pack, e.Data...)
	return append(pack, '\n')
}

// decodePack reads a pack. The entries hold parts of it.
func decodePack(pack []byte) ([]archivedEntry, error) {
	rest, ok := bytes.CutPrefix(pack, []byte(packHead))
	if !ok || len(rest) == 0 {
		return nil, errPack
	}
	var out []archivedEntry
	var last uint64
	for len(rest) > 0 {
		line, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return nil, fmt.Errorf("%w: entry %d is cut", errPack, len(out))
		}
		parts := bytes.Split(line, []byte{' '})
		if len(parts) != 3 {
			return nil, fmt.Errorf("%w: entry %d", errPack, len(out))
		}
		seq, err1 := strconv.ParseUint(string(parts[0]), 10, 64)
		nanos, err2 := strconv.ParseInt(string(parts[1]), 10, 64)
		size, err3 := strconv.Atoi(string(parts[2]))
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", errPack, len(out), err)
		}
		if seq <= last || size < 0 || size >= len(after) || after[size] != '\n' {
			return nil, fmt.Errorf("%w: entry %d", errPack, len(out))
		}
		out = append(out, archivedEntry{Entry{Seq: seq, Data: after[:size:size]}, time.Unix(0, nanos)})
		last, rest = seq, after[size+1:]
	}
	return out, nil
}
