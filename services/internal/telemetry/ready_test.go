package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestReadinessIsToldWhenItChanges(t *testing.T) {
	var out bytes.Buffer
	r := NewReadiness(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	away := errors.New("away")
	for _, step := range []struct {
		err  error
		want string
	}{
		{ErrStarting, "DEBUG"}, {fmt.Errorf("edge: %w", ErrStarting), "DEBUG"}, {nil, ""}, {nil, ""},
		{away, "WARN"}, {away, "DEBUG"}, {ErrStarting, "DEBUG"}, {nil, "INFO"}, {nil, ""}, {away, "WARN"},
	} {
		out.Reset()
		r.Probed(t.Context(), step.err)
		said := out.String()
		if step.want == "" && said != "" || !strings.Contains(said, step.want) || strings.Count(said, "\n") > 1 {
			t.Errorf("%v: %q, want %q", step.err, said, step.want)
		}
	}
}
