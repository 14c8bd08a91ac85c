package aggregate

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// tell sends word of a final refusal to the aggregate on whose behalf the command came, if
// one is named in it, and returns once that is stored. It is false if the queue was closed
// before: then the command must be left in the stream, to be decided again.
func (q *queue) tell(m *bus.Message, to subjects.Command, a subjects.Answer) bool {
	if a.Refusal == nil {
		return true
	}
	env, err := subjects.DecodeEnvelope(m.Data)
	if err != nil || env.Refused == nil || env.Refused.Check() != nil {
		return true
	}
	body, err := json.Marshal(subjects.CommandRefused{
		Command: env.ID, Service: to.Service, ID: to.ID, Asked: to.Verb, Principal: to.Principal,
		Code: a.Refusal.Code, Message: cut(a.Refusal.Error(), subjects.MaxRefusalBytes),
	})
	if err != nil {
		return true // strings always encode
	}
	word := subjects.Envelope{ID: refusedID(env.ID, to, q.bus.Clock().Now()), Body: body}
	back := subjects.Command{Service: env.Refused.Service, ID: env.Refused.ID, Verb: subjects.VerbRefused, Principal: subjects.System}
	for pause := queueRetryMin; q.ctx.Err() == nil; pause = min(pause*2, queueRetryMax) {
		if err := q.bus.Send(q.ctx, back, word); err == nil || errors.Is(err, subjects.ErrBadSubject) {
			return true
		}
		q.sleep(pause)
	}
	return false
}

// refusedID makes the id under which word of a refusal is sent: the same for the same command,
// so that it counts once, unless the command waited for so long that the receiver might take
// an id of its age for one that it has forgotten.
func refusedID(command string, to subjects.Command, now time.Time) string {
	at, err := subjects.IDTime(command)
	if err != nil || now.Sub(at) > subjects.CommandHorizon/2 {
		at = now
	}
	return subjects.DeriveID(subjects.PrefixCommand, at, subjects.VerbRefused, command, to.Service, to.ID, to.Principal)
}

// cut gives at most so many bytes of a text, and no half character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
