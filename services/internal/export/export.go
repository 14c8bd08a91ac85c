package export

import (
	"encoding/json"
	"fmt"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/subjects"
)

// Target is what tracks are exported to, and in whose name.
type Target struct {
	Service, ID, User string
	// Create gives the body of the command that makes it with the first tracks.
	Create func(first []subjects.TrackRef) any
	// Verb is that of the commands that bring the others, and More their body.
	Verb string
	More func(some []subjects.TrackRef) any
}

// Commands gives a command that makes the target with the first tracks, and one for each
// further subjects.MaxTracksPerCommand, in the order in which they are to be carried out:
// one sender's commands to one aggregate are. Who sent them is told of each that is refused
// for good.
func Commands(to Target, tracks []subjects.TrackRef) ([]aggregate.Send, error) {
	first, rest := cut(tracks)
	out := make([]aggregate.Send, 0, 1+len(rest)/subjects.MaxTracksPerCommand)
	send := func(verb string, body any) error {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("export to %s: %w", to.ID, err)
		}
		out = append(out, aggregate.Send{
			To:   subjects.Command{Service: to.Service, ID: to.ID, Verb: verb, Principal: to.User},
			Body: raw, Refused: true,
		})
		return nil
	}
	if err := send(subjects.VerbCreate, to.Create(first)); err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		var some []subjects.TrackRef
		some, rest = cut(rest)
		if err := send(to.Verb, to.More(some)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxRefBytes bounds the tracks of one command by their size, since addresses may be long:
// with its envelope it must stay below subjects.MaxCommandBytes.
const maxRefBytes = subjects.MaxCommandBytes / 2

// cut takes as many tracks as one command can name off the front.
func cut(refs []subjects.TrackRef) (some, rest []subjects.TrackRef) {
	n, size := 0, 0
	for n < len(refs) && n < subjects.MaxTracksPerCommand {
		size += len(refs[n]) + 3 // quotes and comma
		if n > 0 && size > maxRefBytes {
			break
		}
		n++
	}
	return refs[:n], refs[n:]
}
