package subjects

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Root is the first part of every subject; a change of the contract that old programs
// cannot read changes it.
const Root = "tutti.v1"

// Services and tables, as they stand in subjects.
const (
	ServiceRoom    = "room"
	ServiceAuth    = "auth"
	ServiceProfile = "profile"
	ServiceChat    = "chat"

	ServicePlaylist = "playlist"

	TableRooms    = "rooms"
	TableAccounts = "accounts"
	TableProfiles = "profiles"

	TablePlaylists = "playlists"
)

// Streams that the subjects live in.
const (
	StreamCommands  = "COMMANDS"
	StreamSnapshots = "SNAPSHOTS"
	StreamState     = "STATE"
	StreamDLQ       = "DLQ"
)

// StreamEvents names the stream that holds a service's commits where that is one; see Log.
func StreamEvents(service string) string { return "EVENTS_" + strings.ToUpper(service) }

// System is the principal of the platform itself: timers, reactions, operators. The
// edge never lets a caller use it, and NATS permissions keep it from everybody else.
const System = "sys"

// ErrBadSubject is returned for a subject, or a part of one, that the contract does not
// allow.
var ErrBadSubject = errors.New("subjects: not a valid subject")

// Door is the way a command enters.
type Door string

const (
	// DoorAsk is core NATS request-reply: for somebody who waits for the answer.
	DoorAsk Door = "cmd"
	// DoorQueue is the COMMANDS stream: kept until it was carried out; for services,
	// timers and bots. The sender's inbox, if it wants the answer too, travels in the
	// header HeaderReplyTo.
	DoorQueue Door = "cmdq"
)

// Headers of messages.
const (
	// HeaderReplyTo names the inbox that wants the answer of a command sent through
	// DoorQueue (JetStream takes a message's own reply subject for its ack).
	HeaderReplyTo = "Tutti-Reply-To"
	// HeaderDeadline says until when the sender of a command through DoorAsk waits for the
	// answer, in Unix milliseconds of the log's clock. The owner decides nothing after
	// that: the sender may have asked somebody else by then.
	HeaderDeadline = "Tutti-Deadline"
	// HeaderAgain says that the command was sent before and that what became of it is not
	// known. Any value counts.
	HeaderAgain = "Tutti-Again"
	// HeaderTrace carries the W3C trace context of who sent a command or a query, if that is
	// recorded. What it holds changes nothing but what is recorded.
	HeaderTrace = "traceparent"
	// HeaderVersion carries a document's version on the STATE stream, as JSON.
	HeaderVersion = "Tutti-Version"
	// HeaderReason says on the DLQ stream why a message could not be decoded.
	HeaderReason = "Tutti-Reason"
	// HeaderSubject says on the DLQ stream where the message was found.
	HeaderSubject = "Tutti-Subject"
)

// Command is a parsed command subject.
type Command struct {
	Service   string
	ID        string
	Verb      string
	Principal string
}

// Subject spells the subject that a sender publishes to. It returns ErrBadSubject if a
// part is not a token (see Token).
func (c Command) Subject(d Door) (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	return Root + "." + string(d) + "." + c.Service + "." + c.ID + "." + c.Verb + "." + c.Principal, nil
}

// Routed spells the subject under which the owner of the id's partition receives it.
// The NATS server maps what Subject spells to it; see Mapping.
func (c Command) Routed(d Door, partitions int) (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	return Root + ".part." + string(d) + "." + c.Service + "." + strconv.Itoa(Partition(c.ID, partitions)) +
		"." + c.ID + "." + c.Verb + "." + c.Principal, nil
}

func (c Command) check() error {
	for _, t := range [...]struct{ name, v string }{
		{"service", c.Service}, {"id", c.ID}, {"verb", c.Verb}, {"principal", c.Principal},
	} {
		if !Token(t.v) {
			return fmt.Errorf("%w: %s %q", ErrBadSubject, t.name, t.v)
		}
	}
	return nil
}

// ParseRouted reads a subject that Routed spells.
func ParseRouted(subject string) (d Door, partition int, c Command, err error) {
	rest, ok := strings.CutPrefix(subject, Root+".part.")
	if !ok {
		return "", 0, Command{}, fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	t := strings.Split(rest, ".")
	if len(t) != 6 {
		return "", 0, Command{}, fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	d = Door(t[0])
	p, err := strconv.Atoi(t[2])
	c = Command{Service: t[1], ID: t[3], Verb: t[4], Principal: t[5]}
	if (d != DoorAsk && d != DoorQueue) || err != nil || p < 0 || strconv.Itoa(p) != t[2] || c.check() != nil {
		return "", 0, Command{}, fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	return d, p, c, nil
}

// ParseCommand reads a subject that Subject spells.
func ParseCommand(subject string) (Door, Command, error) {
	rest, ok := strings.CutPrefix(subject, Root+".")
	t := strings.Split(rest, ".")
	if !ok || len(t) != 5 || (Door(t[0]) != DoorAsk && Door(t[0]) != DoorQueue) {
		return "", Command{}, fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	c := Command{Service: t[1], ID: t[2], Verb: t[3], Principal: t[4]}
	if err := c.check(); err != nil {
		return "", Command{}, err
	}
	return Door(t[0]), c, nil
}

// Mapping gives the source and destination of the NATS account mapping that routes one
// door's commands to partitions.
func Mapping(d Door, partitions int) (source, destination string) {
	return Root + "." + string(d) + ".*.*.*.*",
		fmt.Sprintf("%s.part.%s.{{wildcard(1)}}.{{partition(%d,2)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}",
			Root, d, partitions)
}

// Partition gives the partition of an aggregate's id, in [0, partitions): the 32-bit
// FNV-1a hash that nats-server uses for partition() in subject mappings.
func Partition(id string, partitions int) int {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return int(h % uint32(partitions))
}

// PartitionWildcard matches every routed command of one partition.
func PartitionWildcard(d Door, service string, partition int) string {
	return Root + ".part." + string(d) + "." + service + "." + strconv.Itoa(partition) + ".>"
}

// AllRouted matches every routed command of a door, of any service.
func AllRouted(d Door) string { return Root + ".part." + string(d) + ".>" }

// TimerWildcard matches every timer's own subject.
func TimerWildcard() string { return Root + ".timer.>" }

// Timer is the subject of the scheduled message that wakes an aggregate at a whole
// second. Each second has a subject of its own, so a timer never replaces another.
func Timer(service, id string, unixSecond int64) string {
	return Timers(service, id) + strconv.FormatInt(unixSecond, 10)
}

// Timers is how the subjects of all of an aggregate's timers begin.
func Timers(service, id string) string { return Root + ".timer." + service + "." + id + "." }

// VerbWake is the verb of the command that a timer delivers: look at the clock.
const VerbWake = "wake"

// Events is where a service's commits are stored, one subject an aggregate, where one stream
// holds them all; see Log.
func Events(service, id string) string { return Root + ".evt." + service + "." + id }

// EventsWildcard matches every commit of a service, where one stream holds them all; see Log.
func EventsWildcard(service string) string { return Root + ".evt." + service + ".*" }

// Feed is where a commit appears live, after it was stored.
func Feed(service, id string) string { return Root + ".feed." + service + "." + id }

// Snapshot is where an aggregate's last snapshot is kept.
func Snapshot(service, id string) string { return Root + ".snap." + service + "." + id }

// SnapshotWildcard matches every snapshot.
func SnapshotWildcard() string { return Root + ".snap.*.*" }

// State is where a public document's last value is kept.
func State(table, id string) string { return Root + ".state." + table + "." + id }

// StateWildcard matches every public document of a table; of all tables if table is "*".
func StateWildcard(table string) string { return Root + ".state." + table + ".*" }

// Own is where the last value of a document is kept that concerns one user alone. It lies
// beside State, not under it, so that who may read public documents does not read these.
func Own(table, owner, id string) string { return Root + ".own." + table + "." + owner + "." + id }

// OwnWildcard matches every document of a table that concerns a user; of every user if
// owner is "*".
func OwnWildcard(table, owner string) string { return Root + ".own." + table + "." + owner + ".*" }

// OwnFeed matches where documents that concern a user appear live, after they were stored.
func OwnFeed(table, owner string) string { return Root + ".ownfeed." + table + "." + owner + ".*" }

// OwnFeedMapping gives source and destination of their republishing.
func OwnFeedMapping() (source, destination string) {
	return OwnWildcard("*", "*"), Root + ".ownfeed.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"
}

// ParseOwn reads table, owner and id from what Own spells.
func ParseOwn(subject string) (table, owner, id string, err error) {
	rest, ok := strings.CutPrefix(subject, Root+".own.")
	t := strings.Split(rest, ".")
	if !ok || len(t) != 3 || !Token(t[0]) || !Token(t[1]) || !Token(t[2]) {
		return "", "", "", fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	return t[0], t[1], t[2], nil
}

// DLQ is where what a service could not decode goes.
func DLQ(service string) string { return Root + ".dlq." + service }

// DLQWildcard matches every dead letter.
func DLQWildcard() string { return Root + ".dlq.*" }

// Query is the request-reply subject of a service's endpoint.
func Query(service, endpoint string) string { return Root + ".qry." + service + "." + endpoint }

// Live is where goes what is worthless a second later: leases, typing, positions.
func Live(service, id, kind string) string { return Root + ".live." + service + "." + id + "." + kind }

// ParseState reads the table and id from what State spells.
func ParseState(subject string) (table, id string, err error) {
	rest, ok := strings.CutPrefix(subject, Root+".state.")
	t := strings.Split(rest, ".")
	if !ok || len(t) != 2 || !Token(t[0]) || !Token(t[1]) {
		return "", "", fmt.Errorf("%w: %q", ErrBadSubject, clip(subject))
	}
	return t[0], t[1], nil
}

// Token reports whether s may stand as one part of a subject: 1 to MaxIDBytes bytes of
// letters, digits, '_' and '-'.
func Token(s string) bool {
	if s == "" || len(s) > MaxIDBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// clip cuts what somebody sent to a length that fits a message, at a whole character.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
