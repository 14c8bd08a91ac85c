package subjects

import (
	"errors"
	"fmt"
)

// Code names a refusal. Codes are stable: programs branch on them, people read the
// message beside them.
type Code string

// The codes of refusals. Each says what happened and, by Final, whether the same
// command may be sent again.
const (
	CodeInvalid          Code = "invalid"            // the command or request is not well formed; the message names the field
	CodeTooLarge         Code = "too_large"          // past a limit in limits.go
	CodeUnknownVerb      Code = "unknown_verb"       // this kind of aggregate has no such command
	CodeUnauthenticated  Code = "unauthenticated"    // no token, or one that is not valid (any more)
	CodeBadCredentials   Code = "bad_credentials"    // e-mail and password do not belong together
	CodeTokenReused      Code = "token_reused"       // a refresh token was used twice; its whole family is revoked
	CodeForbidden        Code = "forbidden"          // the room's grants do not allow this to the sender's role
	CodeNotFound         Code = "not_found"          // no such thing, or none that the sender may see
	CodeNotMember        Code = "not_member"         // the command needs membership: join first
	CodeNotInvited       Code = "not_invited"        // the room asks for an invitation here
	CodeBanned           Code = "banned"             // the sender is banned from the room
	CodeMuted            Code = "muted"              // the sender is muted in the chat
	CodeTooFast          Code = "too_fast"           // the chat is in slow mode; the message says when to send again
	CodeExists           Code = "exists"             // it is there already
	CodeEmailTaken       Code = "email_taken"        // another account has this e-mail address
	CodeNicknameTaken    Code = "nickname_taken"     // another account has this nickname
	CodeClosed           Code = "closed"             // the room is closed
	CodeFull             Code = "full"               // a limit of the room is reached
	CodeNoSuchTrack      Code = "no_such_track"      // the track is not in the queue, or no source knows it
	CodeTrackUnavailable Code = "track_unavailable"  // the track's source did not answer or refused
	CodeAlreadyVoted     Code = "already_voted"      // one vote a member and track
	CodeOutsidePlace     Code = "outside_place"      // the sender's position does not fit, or is not known
	CodeOutsideTime      Code = "outside_time"       // the room takes votes at another time
	CodeNothingAccepted  Code = "nothing_accepted"   // nothing of what was suggested was accepted
	CodeNoEligibleTrack  Code = "no_eligible_track"  // no queued track has the minimum score
	CodeNothingToPlay    Code = "nothing_to_play"    // there is no current track, or it is at its end
	CodeAlready          Code = "already"            // the state asked for is the present one
	CodeConflict         Code = "conflict"           // the thing changed meanwhile: read it again
	CodeExpired          Code = "expired"            // the command's id is too old to tell whether it was applied
	CodeRateLimited      Code = "rate_limited"       // too many requests: wait as Retry-After says
	CodeBusy             Code = "busy"               // a queue is full; send the same command again
	CodeUnavailable      Code = "unavailable"        // nobody could answer now; send the same command again
	CodeUpgrade          Code = "upgrade_required"   // the log holds events of a newer release; another owner must take it
	CodeInternal         Code = "internal"           // a defect; the server's log has the details
	CodeMethodNotAllowed Code = "method_not_allowed" // HTTP only: the path exists, the method does not
)

type codeFacts struct {
	status int
	final  bool
}

var codes = map[Code]codeFacts{
	CodeInvalid:          {400, true},
	CodeTooLarge:         {413, true},
	CodeUnknownVerb:      {400, true},
	CodeUnauthenticated:  {401, true},
	CodeBadCredentials:   {401, true},
	CodeTokenReused:      {401, true},
	CodeForbidden:        {403, true},
	CodeNotFound:         {404, true},
	CodeNotMember:        {403, true},
	CodeNotInvited:       {403, true},
	CodeBanned:           {403, true},
	CodeMuted:            {403, true},
	CodeTooFast:          {403, true},
	CodeExists:           {409, true},
	CodeEmailTaken:       {409, true},
	CodeNicknameTaken:    {409, true},
	CodeClosed:           {410, true},
	CodeFull:             {409, true},
	CodeNoSuchTrack:      {404, true},
	CodeTrackUnavailable: {422, true},
	CodeAlreadyVoted:     {409, true},
	CodeOutsidePlace:     {403, true},
	CodeOutsideTime:      {403, true},
	CodeNothingAccepted:  {409, true},
	CodeNoEligibleTrack:  {409, true},
	CodeNothingToPlay:    {409, true},
	CodeAlready:          {409, true},
	CodeConflict:         {409, true},
	CodeExpired:          {409, true},
	CodeRateLimited:      {429, false},
	CodeBusy:             {503, false},
	CodeUnavailable:      {503, false},
	CodeUpgrade:          {503, false},
	CodeInternal:         {500, true},
	CodeMethodNotAllowed: {405, true},
}

// Codes lists every code, in no order.
func Codes() []Code {
	out := make([]Code, 0, len(codes))
	for c := range codes {
		out = append(out, c)
	}
	return out
}

// HTTPStatus is the status that the code has over HTTP; 500 for an unknown one.
func (c Code) HTTPStatus() int {
	if f, ok := codes[c]; ok {
		return f.status
	}
	return 500
}

// Final reports whether the answer stands. A command refused with a code that is not
// final may be sent again under the same id, and should be. An unknown code is final.
func (c Code) Final() bool {
	f, ok := codes[c]
	return !ok || f.final
}

// Refusal is the typed "no" to a command or request. It is an error; compare with
// errors.Is against another Refusal of the same code, or read Code through CodeOf.
type Refusal struct {
	Code Code `json:"code"`
	// Message is for people: what was wrong and, where it helps, what to do.
	Message string `json:"message"`
	// Field names the part of the body that was wrong, in dotted form; often empty.
	Field string `json:"field,omitempty"`
}

// Refuse makes a refusal with a message for people.
func Refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// RefuseField makes a CodeInvalid refusal that names the field.
func RefuseField(field, format string, args ...any) *Refusal {
	return &Refusal{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Error gives "code: message", with the field where there is one.
func (r *Refusal) Error() string {
	if r.Field != "" {
		return fmt.Sprintf("%s: %s: %s", r.Code, r.Field, r.Message)
	}
	return fmt.Sprintf("%s: %s", r.Code, r.Message)
}

// Is reports whether target is a Refusal with the same code.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Code == r.Code
}

// CodeOf gives the code of the first Refusal in err's chain, "" if err is nil, and
// CodeInternal for any other error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return CodeInternal
}
