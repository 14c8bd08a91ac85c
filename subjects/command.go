package subjects

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"time"
)

// Envelope is the payload of a command on NATS; service, aggregate, verb and principal
// stand in the subject (see Command).
type Envelope struct {
	// ID is the command's own id (PrefixCommand): made once by the sender and kept
	// through every retry. A command takes effect once per principal and id.
	ID string `json:"id"`
	// Body is a JSON object whose shape the verb gives; empty means {}.
	Body json.RawMessage `json:"body,omitempty"`
	// Refused, in a queued command, is who is told if it is refused for good; see VerbRefused.
	Refused *Origin `json:"refused,omitempty"`
}

// Answer is the reply to a command.
type Answer struct {
	// Command is the id of the command that is answered; empty if it could not be read.
	Command string `json:"cmd"`
	// Epoch and Rev name the commit that holds the command's events, or the state that
	// was looked at if it had none or was refused. A repeated command gets the first
	// answer's.
	Epoch uint64 `json:"epoch"`
	Rev   uint64 `json:"rev"`
	// At is the time of that commit.
	At int64 `json:"at"`
	// Refusal is nil if the command was accepted.
	Refusal *Refusal `json:"refusal,omitempty"`
}

// Err gives the refusal as an error, nil if the command was accepted.
func (a Answer) Err() error {
	if a.Refusal == nil {
		return nil
	}
	return a.Refusal
}

// DecodeEnvelope reads a command's payload and checks its id. Every error is a Refusal:
// CodeTooLarge or CodeInvalid.
func DecodeEnvelope(payload []byte) (Envelope, error) {
	var e Envelope
	if len(payload) > MaxCommandBytes {
		return e, Refuse(CodeTooLarge, "a command is at most %d bytes", MaxCommandBytes)
	}
	if fast, ok := scanEnvelope(payload); ok {
		e = fast
	} else if err := json.Unmarshal(payload, &e); err != nil {
		return Envelope{}, Refuse(CodeInvalid, "the command is not a JSON object with id and body")
	}
	if err := CheckID(PrefixCommand, e.ID); err != nil {
		return e, RefuseField("id", "a command id is %q and 26 characters of Crockford base 32 that begin with the time", PrefixCommand+"_")
	}
	return e, nil
}

// CheckCommandTime refuses a command whose id is older than CommandHorizon (CodeExpired)
// or further ahead of now than CommandSkew (CodeInvalid).
func CheckCommandTime(id string, now time.Time) error {
	t, err := IDTime(id)
	if err != nil {
		return RefuseField("id", "not a command id")
	}
	if now.Sub(t) > CommandHorizon {
		return Refuse(CodeExpired, "the command's id is older than %v; make a new one if it should still happen", CommandHorizon)
	}
	if t.Sub(now) > CommandSkew {
		return RefuseField("id", "the time in the command's id lies in the future; check the clock")
	}
	return nil
}

// DecodeBody reads a command's body into v. Unknown fields are refused, so that a
// misspelt option is not lost in silence. An empty body reads as {}.
func DecodeBody(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badBody(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Refuse(CodeInvalid, "body: more than one JSON value")
	}
	return nil
}

// badBody says what a decoder found wrong, in the words of JSON and not of Go, and names
// the field where the decoder does.
func badBody(err error) *Refusal {
	var (
		r      *Refusal
		typ    *json.UnmarshalTypeError
		syntax *json.SyntaxError
	)
	switch {
	case errors.As(err, &r):
		return r // of a type that decodes itself
	case errors.As(err, &typ):
		return RefuseField(typ.Field, "%s does not belong here: want %s", typ.Value, jsonKind(typ.Type.Kind()))
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return Refuse(CodeInvalid, "the body is not JSON")
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		name = clip(strings.Trim(name, `"`))
		return RefuseField(name, "there is no field %q here", name)
	}
	return Refuse(CodeInvalid, "the body is not of the right shape")
}

func jsonKind(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}
