package subjects

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxShards is the largest number of streams that hold the commits of one service.
const MaxShards = 64

// Log says where the commits of one service are kept: in one stream, or spread over several
// by the aggregate's id. An aggregate's commits are all in one of them. The number is fixed
// for a deployment.
type Log struct {
	Service string
	// Shards is the number of streams. 0 and 1 are the same: one stream, whose subjects name
	// no shard.
	Shards int
}

// split reports whether subjects and streams name a shard.
func (l Log) split() bool { return l.Shards > 1 }

// Len is the number of streams.
func (l Log) Len() int { return max(l.Shards, 1) }

// Shard gives the number of the stream that holds an aggregate, in [0, Len()): by the same
// hash as Partition.
func (l Log) Shard(id string) int {
	if !l.split() {
		return 0
	}
	return Partition(id, l.Shards)
}

// Stream names a shard's stream.
func (l Log) Stream(shard int) string {
	if !l.split() {
		return StreamEvents(l.Service)
	}
	return StreamEvents(l.Service) + "_" + strconv.Itoa(shard)
}

// Streams names all of them, by shard.
func (l Log) Streams() []string {
	out := make([]string, l.Len())
	for i := range out {
		out[i] = l.Stream(i)
	}
	return out
}

// Subject is where an aggregate's commits are stored.
func (l Log) Subject(id string) string {
	if !l.split() {
		return Events(l.Service, id)
	}
	return Root + ".evt." + l.Service + "." + strconv.Itoa(l.Shard(id)) + "." + id
}

// Wildcard matches every commit of a shard.
func (l Log) Wildcard(shard int) string {
	if !l.split() {
		return EventsWildcard(l.Service)
	}
	return Root + ".evt." + l.Service + "." + strconv.Itoa(shard) + ".*"
}

// FeedMapping gives source and destination of the republishing of a shard's commits: they
// appear where Feed says, however many shards there are.
func (l Log) FeedMapping(shard int) (source, destination string) {
	return l.Wildcard(shard), Root + ".feed." + l.Service + ".{{wildcard(1)}}"
}

// StreamArchive names the stream that holds the old part of the logs of a service's
// aggregates.
func StreamArchive(service string) string { return "ARCHIVE_" + strings.ToUpper(service) }

// Archived is where the old part of an aggregate's log is stored.
func Archived(service, id string) string { return Root + ".arc." + service + "." + id }

// ArchivedWildcard matches the old parts of the logs of a service.
func ArchivedWildcard(service string) string { return Root + ".arc." + service + ".*" }

// ParseEvents reads the service and id from what Log.Subject, Events, Feed, Snapshot or
// Archived spells.
func ParseEvents(subject string) (service, id string, err error) {
	rest, ok := strings.CutPrefix(subject, Root+".")
	t := strings.Split(rest, ".")
	if ok && len(t) == 4 && t[0] == "evt" && shardToken(t[2]) {
		t = []string{t[0], t[1], t[3]}
	}
	if !ok || len(t) != 3 || !Token(t[1]) || !Token(t[2]) {
		return "", "", fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	switch t[0] {
	case "evt", "feed", "snap", "arc":
		return t[1], t[2], nil
	}
	return "", "", fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
}

// shardToken reports whether s is a shard's number as Log spells it.
func shardToken(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n < MaxShards && strconv.Itoa(n) == s
}
