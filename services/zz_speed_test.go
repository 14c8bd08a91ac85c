package services

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"strconv"
	"testing"
	"time"

	"github.com/tuttihq/tutti/services/internal/bus"
	"github.com/tuttihq/tutti/subjects"
)

// SPEED=n rooms from export at SPEED_SRC data dir
func TestZZSpeed(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SPEED"))
	if n == 0 {
		t.Skip()
	}
	log := slog.New(slog.DiscardHandler)
	src := Defaults()
	src.Data = os.Getenv("SPEED_SRC")
	s, _, err := attach(t.Context(), src, (*System).openBare, log)
	if err != nil {
		t.Fatal(err)
	}
	logs := map[string]map[string][][]byte{}
	for _, service := range logKeepers() {
		logs[service] = map[string][][]byte{}
		l := s.bus.Log(service)
		_ = s.bus.Read(t.Context(), l.Stream(0), l.Wildcard(0), 1, func(e bus.Entry) error {
			_, id, _ := subjects.ParseEvents(e.Subject)
			logs[service][id] = append(logs[service][id], e.Data)
			return nil
		})
	}
	_ = s.detach(t.Context(), src)
	dst := Defaults()
	dst.Data = t.TempDir()
	if os.Getenv("SPEED_RETHINK") != "" {
		dst.Store.Kind, dst.Store.Addresses = StoreRethinkDB, []string{os.Getenv("SPEED_RETHINK")}
		dst.Store.Database = fmt.Sprintf("speed%d", time.Now().Unix())
	}
	s, _, err = attach(t.Context(), dst, (*System).openBare, log)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	total := 0
	for _, service := range logKeepers() {
		l := s.bus.Log(service)
		r := s.bus.Refill(l.Stream(0), 0)
		for i := range n {
			for old, commits := range logs[service] {
				id := subjects.DeriveID(old[:len(old)-27], time.Now(), old, fmt.Sprint(i))
				for _, c := range commits {
					if err := r.Add(t.Context(), l.Subject(id), c); err != nil {
						t.Fatal(err)
					}
					total++
				}
			}
		}
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begin)
	t.Logf("filled %d commits in %v: %.0f/s", total, took, float64(total)/took.Seconds())
	_ = s.detach(t.Context(), dst)
	for i, drop := range []bool{true, false} {
		f, _ := os.Create(fmt.Sprintf("/tmp/data5/cpu%d.prof", i))
		_ = pprof.StartCPUProfile(f)
		begin = time.Now()
		r, err := Rebuild(t.Context(), dst, drop, nil, log)
		took = time.Since(begin)
		pprof.StopCPUProfile()
		t.Logf("drop %v: %+v %v: %v: %.0f commits/s, %.0f docs/s", drop, r, err, took, float64(r.Commits)/took.Seconds(), float64(r.Written+r.Stale)/took.Seconds())
	}
}

func TestZZSource(t *testing.T) {}
