package edge

import (
	"fmt"
	"time"
)

// SocketConfig bounds what one socket, and all of them together, may take of an edge.
type SocketConfig struct {
	// HelloTimeout is how long a new connection may take to say hello; then it is closed
	// (4002). Default 10 s.
	HelloTimeout time.Duration `koanf:"hello_timeout"`
	// PingEvery is how often a client is pinged that says nothing. Default 25 s.
	PingEvery time.Duration `koanf:"ping_every"`
	// Silence is how long nothing may be heard of a client, answers to pings included; then
	// it is closed (4001). Default 60 s.
	Silence time.Duration `koanf:"silence"`
	// WriteStall bounds one write to a client; a client that does not take it is cut off.
	// Default 10 s.
	WriteStall time.Duration `koanf:"write_stall"`
	// QueueFrames and QueueBytes bound what waits to be written to one client. Past them
	// what it missed of its channels is replaced by snapshots; if what waits still does not
	// fit, it is closed (4000). Defaults 512 and 1 MiB.
	QueueFrames int `koanf:"queue_frames"`
	QueueBytes  int `koanf:"queue_bytes"`
	// Frames is how many frames a client may send; further ones are refused as
	// rate_limited, and 1,000 of them close the socket (4004). Commands and queries count
	// against edge.limits as over HTTP too. Default 100 a second, 400 at once.
	Frames Rate `koanf:"frames"`
	// PerUser and PerAddress bound the sockets of one user, and those without a user of one
	// address; a further one is closed (4006). Defaults 64 and 256.
	PerUser    int `koanf:"per_user"`
	PerAddress int `koanf:"per_address"`
	// Waiting bounds the commands and queries of one client that wait for an answer; a
	// further one is refused as busy. Default 64.
	Waiting int `koanf:"waiting"`

	// Topics bounds the rooms that are followed at once; following another one is refused
	// as busy. Default 20,000.
	Topics int `koanf:"topics"`
	// Linger is how long a room is followed after the last client left it. Default 15 s.
	Linger time.Duration `koanf:"linger"`
	// KeepFrames and KeepBytes bound the commits of a room that are kept for clients that
	// come back; older ones get a snapshot. KeepTotal bounds them over all rooms, in bytes:
	// past it rooms keep none of their next commits. Defaults 512, 256 KiB and 256 MiB.
	KeepFrames int   `koanf:"keep_frames"`
	KeepBytes  int   `koanf:"keep_bytes"`
	KeepTotal  int64 `koanf:"keep_total"`
	// LobbyRooms bounds the open rooms that the lobby chooses from; the smallest are left
	// out. Default 50,000. LobbyEvery is how often it tells what changed. Default 200 ms.
	LobbyRooms int           `koanf:"lobby_rooms"`
	LobbyEvery time.Duration `koanf:"lobby_every"`
}

func socketDefaults() SocketConfig {
	return SocketConfig{
		HelloTimeout: 10 * time.Second, PingEvery: 25 * time.Second, Silence: time.Minute, WriteStall: 10 * time.Second,
		QueueFrames: 512, QueueBytes: 1 << 20,
		Frames:  Rate{PerSecond: 100, Burst: 400},
		PerUser: 64, PerAddress: 256, Waiting: 64,
		Topics: 20_000, Linger: 15 * time.Second,
		KeepFrames: 512, KeepBytes: 256 << 10, KeepTotal: 256 << 20,
		LobbyRooms: 50_000, LobbyEvery: 200 * time.Millisecond,
	}
}

func (c SocketConfig) validate(bad func(format string, args ...any)) {
	for _, d := range [...]struct {
		name string
		v    time.Duration
	}{
		{"hello_timeout", c.HelloTimeout}, {"ping_every", c.PingEvery}, {"silence", c.Silence},
		{"write_stall", c.WriteStall}, {"linger", c.Linger}, {"lobby_every", c.LobbyEvery},
	} {
		if d.v <= 0 {
			bad("socket.%s: %v is not above zero", d.name, d.v)
		}
	}
	if c.PingEvery >= c.Silence && c.Silence > 0 {
		bad("socket.ping_every: %v leaves a client no time to answer before socket.silence (%v)", c.PingEvery, c.Silence)
	}
	for _, n := range [...]struct {
		name string
		v    int64
	}{
		{"queue_frames", int64(c.QueueFrames)}, {"queue_bytes", int64(c.QueueBytes)},
		{"per_user", int64(c.PerUser)}, {"per_address", int64(c.PerAddress)}, {"waiting", int64(c.Waiting)},
		{"topics", int64(c.Topics)}, {"keep_frames", int64(c.KeepFrames)}, {"keep_bytes", int64(c.KeepBytes)},
		{"keep_total", c.KeepTotal}, {"lobby_rooms", int64(c.LobbyRooms)},
	} {
		if n.v < 1 {
			bad("socket.%s: %d is not above zero", n.name, n.v)
		}
	}
	if err := c.Frames.check(); err != nil {
		bad("socket.frames.%w", err)
	}
}

// check reports what is wrong with a rate, and begins with the field's name.
func (r Rate) check() error {
	switch {
	case !(r.PerSecond >= 0 && r.PerSecond <= 1e9): // also refuses NaN
		return fmt.Errorf("per_second: %v is not between 0 (no limit) and 1e9", r.PerSecond)
	case r.PerSecond > 0 && (r.Burst < 1 || r.Burst > 1<<30):
		return fmt.Errorf("burst: %d is not between 1 and %d", r.Burst, 1<<30)
	}
	return nil
}
