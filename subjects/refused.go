package subjects

// VerbRefused is the verb by which an aggregate hears that a command which it had sent through
// the queue (Envelope.Refused) was refused for good.
const VerbRefused = "refused"

// MaxRefusalBytes bounds the message of a CommandRefused; what is longer is cut off.
const MaxRefusalBytes = 2048

// Origin names the aggregate on whose behalf a command is sent.
type Origin struct {
	Service string `json:"service"`
	ID      string `json:"id"`
}

// Check wants two tokens of a subject.
func (o Origin) Check() error {
	if !Token(o.Service) || !Token(o.ID) {
		return RefuseField("refused", "name a service and an aggregate of it")
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
