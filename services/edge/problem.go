package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/tuttihq/tutti/services/internal/aggregate"
	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

const (
	mimeProblem = "application/problem+json"
	// retryAfter is how many seconds to wait before asking again, where nothing better is
	// known.
	retryAfter = "1"
)

// problem is an RFC 9457 problem document, the body of every answer above 399.
type problem struct {
	// Type is "urn:tutti:problem:" and the code; Title says the same in words.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is for people: what was wrong and, where it helps, what to do.
	Detail string `json:"detail"`
	// Instance is the path that was asked for.
	Instance string `json:"instance"`
	// Code is for programs (subjects.Code).
	Code subjects.Code `json:"code"`
	// Field names the part of the request that was wrong, in dotted form.
	Field     string `json:"field,omitempty"`
	RequestID string `json:"request_id"`
	// Retry says that the same request, with the same command id, should be sent again.
	Retry bool `json:"retry,omitempty"`
	// Command is the id of the command that was refused or is left without an answer.
	Command string `json:"command,omitempty"`
	// Epoch and Rev name the state on which a command was refused.
	Epoch uint64 `json:"epoch,omitempty"`
	Rev   uint64 `json:"rev,omitempty"`
}

// refused is a refusal with what HTTP adds to it.
type refused struct {
	*subjects.Refusal
	status     int    // 0 for the code's own
	epoch, rev uint64 // the state on which a command was refused, if there was one
}

func (r *refused) Unwrap() error { return r.Refusal }

// withStatus is a refusal under a status that its code does not have by itself.
func withStatus(status int, r *subjects.Refusal) error { return &refused{Refusal: r, status: status} }

// refusalOf finds what to answer to an error; internal tells that it is nobody's fault
// outside and that the error belongs into the log.
func refusalOf(err error) (r *refused, internal bool) {
	var own *refused
	if errors.As(err, &own) {
		return own, own.Code == subjects.CodeInternal
	}
	var refusal *subjects.Refusal
	if errors.As(err, &refusal) {
		return &refused{Refusal: refusal}, refusal.Code == subjects.CodeInternal
	}
	var fe *fiber.Error
	if errors.As(err, &fe) {
		return transportRefusal(fe.Code), false
	}
	for _, passing := range [...]error{bus.ErrUnavailable, aggregate.ErrUnavailable, context.DeadlineExceeded, context.Canceled} {
		if !errors.Is(err, passing) {
			continue
		}
		return &refused{Refusal: subjects.Refuse(subjects.CodeUnavailable, "nobody could answer in time; send the same request again")}, false
	}
	return &refused{Refusal: subjects.Refuse(subjects.CodeInternal, "something went wrong here; the request id finds it in the server's log")}, true
}

// transportRefusal is what HTTP itself says no to.
func transportRefusal(status int) *refused {
	switch status {
	case http.StatusNotFound:
		return &refused{Refusal: subjects.Refuse(subjects.CodeNotFound, "there is nothing under this path")}
	case http.StatusMethodNotAllowed:
		return &refused{Refusal: subjects.Refuse(subjects.CodeMethodNotAllowed, "this path does not know that method; the Allow header lists those it knows")}
	case http.StatusRequestEntityTooLarge:
		return &refused{Refusal: subjects.Refuse(subjects.CodeTooLarge, "the request's body is too large")}
	case http.StatusRequestHeaderFieldsTooLarge:
		return &refused{Refusal: subjects.Refuse(subjects.CodeTooLarge, "the request's headers are too large"), status: status}
	case http.StatusRequestTimeout:
		return &refused{Refusal: subjects.Refuse(subjects.CodeInvalid, "the request did not arrive in time"), status: status}
	default:
		return &refused{Refusal: subjects.Refuse(subjects.CodeInvalid, "this is not a well-formed HTTP request")}
	}
}

// connectionRefusal is what to answer when a request could not even be read.
func connectionRefusal(err error) *refused {
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	switch {
	case errors.As(err, &small):
		return transportRefusal(http.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return transportRefusal(http.StatusRequestEntityTooLarge)
	case errors.As(err, &netErr) && netErr.Timeout():
		return transportRefusal(http.StatusRequestTimeout)
	default:
		return transportRefusal(http.StatusBadRequest)
	}
}

// writeProblem makes the answer a problem document. Headers that belong to an answer of
// the other kind are taken back.
func writeProblem(ctx *fasthttp.RequestCtx, r *refused, requestID, command string) {
	status := r.status
	if status == 0 {
		status = r.Code.HTTPStatus()
	}
	p := problem{
		Type: "urn:tutti:problem:" + string(r.Code), Title: title(r.Code), Status: status,
		Detail: strings.ToValidUTF8(r.Message, "�"), Instance: instance(ctx), Code: r.Code, Field: r.Field,
		RequestID: requestID, Retry: !r.Code.Final(),
		Command: command, Epoch: r.epoch, Rev: r.rev,
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers only: cannot be
		body = []byte(`{"status":500,"code":"internal"}`)
	}
	h := &ctx.Response.Header
	for _, name := range [...]string{fiber.HeaderETag, fiber.HeaderLastModified, fiber.HeaderLocation, fiber.HeaderAcceptRanges} {
		h.Del(name)
	}
	if status != http.StatusRequestedRangeNotSatisfiable {
		h.Del(fiber.HeaderContentRange)
	}
	h.Set(fiber.HeaderCacheControl, "no-store")
	if status == http.StatusUnauthorized && len(h.Peek(fiber.HeaderWWWAuthenticate)) == 0 {
		h.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="tutti"`)
	}
	if p.Retry && len(h.Peek(fiber.HeaderRetryAfter)) == 0 {
		h.Set(fiber.HeaderRetryAfter, retryAfter)
	}
	ctx.Response.ResetBody()
	ctx.SetStatusCode(status)
	ctx.SetContentType(mimeProblem)
	ctx.SetBody(body)
}

// instance is the path as asked, cut to a length that does no harm in a log.
func instance(ctx *fasthttp.RequestCtx) string {
	const most = 256
	p := ctx.Path()
	if len(p) > most {
		p = p[:most]
	}
	return strings.ToValidUTF8(string(p), "�")
}

// title puts a code into words: "not_found" is "Not found".
func title(c subjects.Code) string {
	s := strings.ReplaceAll(string(c), "_", " ")
	if s == "" {
		return "Refused"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
