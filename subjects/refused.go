package subjects

import (
	"fmt"
	"strings"
)

// VerbRefused is the verb by which an aggregate hears that a command which it had sent through
// the queue (Envelope.Refused) was refused for good.
const VerbRefused = "refused"

// MaxRefusalBytes bounds the message of a CommandRefused; what is longer is cut off.
const MaxRefusalBytes = 2048

// Origin names the aggregate on whose behalf a command is sent: a room or a playlist, since
// only those hear of refusals.
type Origin struct {
	Service string `json:"service"`
	ID      string `json:"id"`
}

// Check wants a service that knows VerbRefused, and a token of a subject.
func (o Origin) Check() error {
	if o.Service != ServiceRoom && o.Service != ServicePlaylist || !Token(o.ID) {
		return RefuseField("refused", "name %s or %s, and one of them", ServiceRoom, ServicePlaylist)
	}
	return nil
}

// CommandRefused says which command was refused, and why. It comes from the platform, through
// the queue, once for each command. That the receiver had sent the command is for the receiver
// to know: whoever may send a command may also say on whose behalf.
//
// A refusal leaves no trace in the log of the one who refused. If that process dies before the
// refused command has left the queue, it may be decided again, and be accepted.
type CommandRefused struct {
	// Command is the refused command's id; the next four fields are its subject's.
	Command   string `json:"command"`
	Service   string `json:"service"`
	ID        string `json:"id"`
	Asked     string `json:"verb"`
	Principal string `json:"principal"`
	Code      Code   `json:"code"`
	Message   string `json:"message"`
}

// Verb is VerbRefused.
func (*CommandRefused) Verb() string { return VerbRefused }

// Check wants a command and a code.
func (c *CommandRefused) Check() error {
	if CheckID(PrefixCommand, c.Command) != nil {
		return RefuseField("command", "not a command id")
	}
	if c.Code == "" || len(c.Code) > MaxIDBytes {
		return RefuseField("code", "say why it was refused")
	}
	if len(c.Message) > MaxRefusalBytes {
		return Refuse(CodeTooLarge, "message: at most %d bytes", MaxRefusalBytes)
	}
	return nil
}

// RefuseTracks gives the refusal, in words for people, of a command that named tracks none of
// which was accepted. There is at least one; names tells, for each, its title, or "" where that
// is not known. A reason that holds for all is said once.
func RefuseTracks(code Code, tracks []RefusedTrack, names []string) *Refusal {
	const shown = 5
	alike := true
	parts := make([]string, 0, shown+1)
	for i, t := range tracks {
		alike = alike && t.Reason == tracks[0].Reason
		name := names[i]
		if name == "" {
			name = clip(t.Ref)
		}
		if i < shown {
			parts = append(parts, fmt.Sprintf("%s: %s", name, t.Reason))
		}
	}
	switch n := len(tracks); {
	case n == 1:
		return Refuse(code, "no track was accepted: %s", parts[0])
	case alike:
		return Refuse(code, "none of %d tracks was accepted, each for the same reason: %s", n, tracks[0].Reason)
	case n == shown+1:
		parts = append(parts, "and 1 other")
	case n > shown:
		parts = append(parts, fmt.Sprintf("and %d others", n-shown))
	}
	return Refuse(code, "none of %d tracks was accepted: %s", len(tracks), strings.Join(parts, "; "))
}

// Counted gives a number with what it counts: "1 track", "2 tracks".
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
