package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuttihq/tutti/subjects"
)

// readers are clients that count the bytes they get and look at none.
type readers struct {
	got   atomic.Int64
	conns []net.Conn
	wg    sync.WaitGroup
}

func (r *readers) add(c net.Conn) {
	r.conns = append(r.conns, c)
	r.wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			r.got.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
}

func (r *readers) close() {
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.wg.Wait()
}

// await waits until so many bytes have come.
func (r *readers) await(b *testing.B, want int64) {
	deadline := time.Now().Add(time.Minute)
	for r.got.Load() < want {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d bytes came", r.got.Load(), want)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// masked frames a short client message, with a mask of zeros.
func masked(text string) []byte {
	head := []byte{opText, 0x80 | byte(len(text))}
	if len(text) > 125 {
		head = []byte{opText, 0x80 | 126, byte(len(text) >> 8), byte(len(text))}
	}
	return append(append(head, 0, 0, 0, 0), text...)
}

// BenchmarkFanOut sends commits of 200 bytes to a room's sockets over TCP, clients and
// server in one process, and compares with writing the same bytes to as many connections
// in a loop. One operation is one delivery.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) { benchSockets(b, n) })
		b.Run(fmt.Sprintf("bare=%d", n), func(b *testing.B) { benchBare(b, n) })
	}
}

func benchSockets(b *testing.B, n int) {
	w := newWorld()
	w.log.Grow(1 << 20)
	cfg := unlimited()
	cfg.Socket.PerAddress, cfg.AccessLog = n+1, false
	cfg.Socket.QueueFrames, cfg.Socket.QueueBytes = 1<<20, 1<<30
	s := w.listening(b, cfg)
	r := &readers{}
	defer r.close()
	for range n {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", subjects.SocketPath)
		in := bufio.NewReader(c)
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			b.Fatalf("%v, %v", resp, err)
		}
		_, _ = c.Write(masked(`{"type":"hello"}`))
		_, _ = c.Write(masked(`{"type":"sub","channel":"` + string(subjects.RoomChannel(open)) + `"}`))
		for snap := false; !snap; { // until the snapshot is here, the rest is not there yet
			head, err := in.Peek(4)
			if err != nil {
				b.Fatal(err)
			}
			size, skip := int(head[1]), 2
			if size == 126 {
				size, skip = int(head[2])<<8|int(head[3]), 4
			}
			body := make([]byte, skip+size)
			if _, err := io.ReadFull(in, body); err != nil {
				b.Fatal(err)
			}
			snap = strings.Contains(string(body), `"type":"snap"`)
		}
		r.add(c)
	}
	s.hubs.rooms.mu.Lock()
	t := s.hubs.rooms.topics[open]
	s.hubs.rooms.mu.Unlock()
	c, data := benchCommit(b)
	size := int64(len(eventMessage(t.channel, 1, 5, 6, c.At, mustPublic(b, data))))
	view := t.view
	b.ReportAllocs()
	b.ResetTimer()
	sent := int64(0)
	for i := 0; i < b.N; i += n {
		t.Lock()
		t.sent, view.Rev = 5, 6 // of one length always
		t.Commit(view, data, c)
		t.Unlock()
		sent += int64(n) * size
		if i/n%32 == 31 { // at most so many under way
			r.await(b, sent)
		}
	}
	r.await(b, sent)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

func benchCommit(b *testing.B) (*subjects.Commit, []byte) {
	body := `{"user":"` + ada + `","track":"demo:t001"}`
	c := &subjects.Commit{Epoch: 1, Rev: 6, At: noon.UnixMilli(), Public: subjects.Public{
		Events: []subjects.Event{{Type: subjects.EventTrackVoted, By: ada, At: noon.UnixMilli(), Cmd: cmdID("c"), Body: []byte(body)}},
		Patch:  []byte(`{"queue":{"demo:t001":{"score":2}}}`),
	}}
	data, err := subjects.AppendCommit(nil, c)
	if err != nil {
		b.Fatal(err)
	}
	return c, data
}

func mustPublic(b *testing.B, data []byte) []byte {
	p, err := subjects.PublicPart(data)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func benchBare(b *testing.B, n int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := &readers{}
	var out []net.Conn
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		r.add(c)
		o, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, o)
	}
	defer func() {
		r.close()
		for _, o := range out {
			_ = o.Close()
		}
	}()
	c, data := benchCommit(b)
	m := eventMessage(subjects.RoomChannel(open), 1, 5, 6, c.At, mustPublic(b, data))
	b.ReportAllocs()
	b.ResetTimer()
	sent := int64(0)
	for i := 0; i < b.N; i += n {
		for _, o := range out {
			if _, err := o.Write(m); err != nil {
				b.Fatal(err)
			}
		}
		sent += int64(n) * int64(len(m))
		if i/n%32 == 31 {
			r.await(b, sent)
		}
	}
	r.await(b, sent)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
