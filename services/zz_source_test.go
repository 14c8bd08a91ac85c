package services_test

import (
	"os"
	"testing"
)

func TestZZBuild(t *testing.T) {
	if os.Getenv("SPEED_SRC") == "" {
		t.Skip()
	}
	b := build(t)
	if err := os.CopyFS(os.Getenv("SPEED_SRC"), os.DirFS(b.cfg.Data)); err != nil {
		t.Fatal(err)
	}
}
