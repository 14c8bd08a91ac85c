package fault

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// table is what all trials showed.
type table struct {
	rows    [][]string
	skipped []string
}

var heads = []string{
	"store", "fault", "sent", "acknowledged", "found", "duplicated", "lost", "no answer",
	"longest pause", "meant", "not republished", "longest delivery", "registering", "clients and documents", "linearizable",
}

func (t *table) add(store string, f fault, r result) {
	n, ms := func(v int) string { return fmt.Sprint(v) }, func(d time.Duration) string { return fmt.Sprint(d.Round(time.Millisecond)) }
	meant := "–"
	switch f.target {
	case anyPause:
	case storeOutage:
		meant = "none"
	default:
		meant = "< " + time.Duration(f.target).String()
	}
	t.rows = append(t.rows, []string{
		store, f.what, n(r.report.sent), n(r.report.acknowledged), n(r.report.found + r.report.traceless), n(r.report.duplicated), n(r.report.lost), n(r.report.unknown),
		ms(r.pauses.command), meant, n(r.unheard), ms(r.pauses.delivery), ms(r.register.pause), fmt.Sprintf("%d agree", r.report.converged), fmt.Sprintf("%d of %d", r.judged-r.odd, r.judged),
	})
}

// String is the table in Markdown.
func (t *table) String() string {
	var b strings.Builder
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	row(heads)
	rule := make([]string, len(heads))
	for i := range rule {
		rule[i] = "---"
	}
	row(rule)
	for _, r := range t.rows {
		row(r)
	}
	for _, s := range t.skipped {
		fmt.Fprintf(&b, "\nNot tried: %s\n", s)
	}
	return b.String()
}

// tell prints the table, and saves it where TUTTI_TEST_FAULT_TABLE says.
func (t *table) tell(tb testing.TB) {
	if len(t.rows) == 0 {
		return
	}
	tb.Logf("\n%s", t)
	if file := os.Getenv("TUTTI_TEST_FAULT_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(t.String()), 0o600); err != nil {
			tb.Error(err)
		}
	}
}
