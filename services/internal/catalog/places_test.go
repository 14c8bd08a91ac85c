package catalog

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDemoTracksAreLocalAndAddressesHaveHosts(t *testing.T) {
	var demo, files Source = &demoSource{}, &urlSource{}
	if _, ok := demo.(Local); !ok {
		t.Error("demo tracks take a place")
	}
	hosted, ok := files.(Hosted)
	if !ok {
		t.Fatal("addresses have no host")
	}
	for ref, want := range map[string]string{
		"http://H.example/a.mp3": "h.example", "https://h.example.:8443/b": "h.example", "http://[::1]:80/c": "::1",
		"url:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "", "nonsense": "",
	} {
		if got := hosted.Host(ref); got != want {
			t.Errorf("%q is on %q, want %q", ref, got, want)
		}
	}
}

func TestPlacesAreGivenBackAndHostsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(3)
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Second)
				defer cancel()
				name := ""
				if i%4 > 0 {
					name = fmt.Sprint("host ", i%4)
				}
				leave, err := p.take(ctx, name)
				if err != nil {
					return
				}
				time.Sleep(2 * time.Second)
				leave()
			})
		}
		wg.Wait()
		if len(p.all) != 0 || len(p.hosts) != 0 {
			t.Errorf("%d places taken, %d hosts remembered", len(p.all), len(p.hosts))
		}
		for range cap(p.all) { // all are there
			if _, err := p.take(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWhoWaitsForABusyHostTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(hostPlaces + 1)
		ctx, cancel := context.WithCancel(t.Context())
		for range hostPlaces {
			if _, err := p.take(ctx, "busy"); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.take(ctx, "busy"); err == nil {
				t.Error("a host has more than its places")
			}
		})
		synctest.Wait()
		if _, err := p.take(ctx, "other"); err != nil {
			t.Error(err)
		}
		cancel()
		wg.Wait()
	})
}
