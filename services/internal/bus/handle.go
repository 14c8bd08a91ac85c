package bus

import (
	"context"
	"encoding/json"

	"github.com/tuttihq/tutti/subjects"
)

// Handle makes an Endpoint of a function with a typed request and answer. A request of
// more than maxBytes is refused with CodeTooLarge and one that is not JSON of Req's shape
// with CodeInvalid, before f is called; an empty one is the zero Req. Fields that are not
// known are passed over, since the asker may be newer than the service.
//
// A refusal never quotes the request, which may hold a password.
func Handle[Req, Resp any](maxBytes int, f func(context.Context, Req) (Resp, error)) Endpoint {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var req Req
		if len(raw) > maxBytes {
			return nil, subjects.Refuse(subjects.CodeTooLarge, "a request is at most %d bytes", maxBytes)
		}
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &req); err != nil {
				return nil, subjects.Refuse(subjects.CodeInvalid, "the request is not a JSON object of the right shape")
			}
		}
		resp, err := f(ctx, req)
		if err != nil {
			return nil, err
		}
		return resp, nil
	}
}
