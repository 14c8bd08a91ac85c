package cluster

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	lastLines = 10
	lastBytes = 8 << 10
)

// words are the last lines that a process said.
type words []string

// String has a line for each.
func (w words) String() string { return strings.Join(w, "\n") }

// A complaint is what a process says as an error: the ERROR of a log, or what Tutti and Go print
// when they end, over as many lines as there are before the next record of a log.
var (
	record    = regexp.MustCompile(`^time=\S+ level=|^\{"time":|^\[\d+\] `)
	complaint = regexp.MustCompile(`^time=\S+ level=ERROR |^\{"time":"[^"]*","level":"ERROR"|^\[\d+\] .*\[(ERR|FTL)\]|^\S+ \S+ error: `)
	farewell  = regexp.MustCompile(`^(tutti|panic|fatal error): `)
)

// lastWords gives the last lines of a log after its first from bytes, none if it cannot be
// read. Complaints among them are given alone: what a process was waiting for before says
// nothing of why it ended.
func lastWords(path string, from int64) words {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(max(from, size(f)-lastBytes), io.SeekStart); err != nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, lastBytes))
	if err != nil {
		return nil
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	if said := complaints(all); len(said) > 0 {
		return said
	}
	return all[max(0, len(all)-lastLines):]
}

// complaints gives the last complaints among lines. One that is too long is cut at its end: a
// panic says why at its beginning.
func complaints(lines []string) (said []string) {
	last, goesOn := 0, false
	for _, line := range lines {
		switch {
		case farewell.MatchString(line):
			last, goesOn = len(said), true
			said = append(said, line)
		case complaint.MatchString(line):
			last, goesOn = len(said), false
			said = append(said, line)
		case record.MatchString(line):
			goesOn = false
		case goesOn:
			said = append(said, line)
		}
	}
	said = said[min(last, max(0, len(said)-lastLines)):]
	return said[:min(len(said), lastLines)]
}

// size is how long a file is; 0 if that cannot be told.
func size(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}
