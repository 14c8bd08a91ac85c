package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

func TestHandleDecodesWithinItsBounds(t *testing.T) {
	type request struct{ Name string }
	errOwn := errors.New("its own")
	calls := 0
	ep := bus.Handle(40, func(_ context.Context, r request) (string, error) {
		calls++
		if r.Name == "fail" {
			return "half an answer", errOwn
		}
		return "hello " + r.Name, nil
	})
	ask := func(raw string) (any, error) { return ep(t.Context(), json.RawMessage(raw)) }
	for raw, want := range map[string]string{"": "hello ", "{}": "hello ", `{"Name":"Anna","newer":1}`: "hello Anna"} {
		if got, err := ask(raw); err != nil || got != want {
			t.Errorf("%s: %v, %v", raw, got, err)
		}
	}
	if got, err := ask(`{"Name":"fail"}`); !errors.Is(err, errOwn) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	calls = 0
	for raw, want := range map[string]subjects.Code{
		`{"Name":"` + strings.Repeat("x", 40) + `"}`: subjects.CodeTooLarge,
		`{"Name":4711}`: subjects.CodeInvalid, `"4711"`: subjects.CodeInvalid, `{"Name":"4711`: subjects.CodeInvalid,
	} {
		_, err := ask(raw)
		if subjects.CodeOf(err) != want || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
	if calls != 0 {
		t.Error("it was called")
	}
}
