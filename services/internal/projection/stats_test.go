package projection_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/projection"
)

// What has not come into the store is counted while it waits, and its age when it has.
func TestStatsTellHowFarBehindTheDocumentsAre(t *testing.T) {
	inShards(t, func(t *testing.T, w *world) {
		db := &patient{Store: w.db}
		db.down.Store(true)
		p, _ := w.start(db, specOf(boxFold{}), projection.Options{InFlight: 8, RetryMin: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond})
		for i := range 100 {
			w.commit(fmt.Sprintf("b%d", i), put("k", i))
		}
		if !eventually(func() bool {
			s := p.Stats()
			behind, err := p.Behind(t.Context())
			return s.Waits && s.Working == 8 && s.Lag == 0 && err == nil && behind == 92
		}) {
			t.Fatalf("while the store is down: %+v", p.Stats())
		}
		db.down.Store(false)
		w.converge(boxFold{})
		if !eventually(func() bool {
			s := p.Stats()
			behind, err := p.Behind(t.Context())
			return !s.Waits && s.Working == 0 && s.Commits == 100 && s.Lag > 0 && err == nil && behind == 0
		}) {
			t.Fatalf("afterwards: %+v", p.Stats())
		}
	})
}
