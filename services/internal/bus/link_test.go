package bus

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsShareADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink()
		first := l.within()
		if again := l.within(); again != first {
			t.Error("two requests of one moment have contexts of their own")
		}
		time.Sleep(linkSlot)
		second := l.within()
		if second == first {
			t.Fatal("a later request has the context of an earlier one")
		}
		time.Sleep(answerWait)
		synctest.Wait()
		if first.Err() == nil {
			t.Error("the first has not ended after its time")
		}
		if second.Err() != nil {
			t.Error("the second ended with less than its whole time")
		}
		time.Sleep(linkSlot)
		synctest.Wait()
		if second.Err() == nil {
			t.Error("the second has not ended after its time")
		}
		l.sever()
	})
}

func TestALostConnectionEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{link: newLink()}
		shared := b.link.within()
		own, done := b.bounded(t.Context(), time.Minute)
		defer done()
		b.link.sever()
		synctest.Wait()
		if shared.Err() == nil || own.Err() == nil {
			t.Fatalf("after the loss: shared %v, own %v", shared.Err(), own.Err())
		}
		if late := b.link.within(); late.Err() == nil {
			t.Error("without a connection a request waits")
		}
		b.link.restore()
		if b.link.within().Err() != nil {
			t.Error("with a new connection a request does not wait")
		}
		ctx, cancel := context.WithCancel(t.Context())
		caller, release := b.bounded(ctx, time.Minute)
		defer release()
		cancel()
		synctest.Wait()
		if caller.Err() == nil {
			t.Error("the caller's own end does not count")
		}
		b.link.sever()
	})
}
