package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tuttihq/tutti/services"
)

func TestMigrateSaysWhatBecomesOfOldIndexes(t *testing.T) {
	report := services.MigrateReport{From: 1, To: 1, Old: []string{`index "by_x" of table "rooms"`}}
	for want, opt := range map[string]services.MigrateOptions{
		"kept for older releases  index \"by_x\" of table \"rooms\"\nnothing to do: the schema has version 1\n": {},
		"would drop  index \"by_x\" of table \"rooms\"\n":                                                       {DryRun: true, DropOldIndexes: true},
		"dropped  index \"by_x\" of table \"rooms\"\n":                                                          {DropOldIndexes: true},
	} {
		c := migrateCommand()
		var out bytes.Buffer
		c.SetOut(&out)
		if err := sayMigrated(c, report, opt); err != nil || out.String() != want {
			t.Errorf("%+v: %q, %v", opt, out.String(), err)
		}
	}
	// An embedded store has no such indexes, and nothing against the flag.
	if said := said(t, "migrate", "--drop-old-indexes", "--data", t.TempDir()); !strings.Contains(said, "migration 1") {
		t.Errorf("on an embedded store: %q", said)
	}
}
