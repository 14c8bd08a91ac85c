package natsconf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tuttihq/tutti/subjects"
)

// requests lists what may be asked of JetStream, with who may, admin aside.
func requests() []rights {
	var out []rights
	add := func(subject string, who ...string) { out = append(out, rights{subject: subject, publish: who}) }
	f := fmt.Sprintf
	add(server.JSApiAccountInfo, roles...)
	for _, api := range []string{
		server.JSApiStreams, server.JSApiStreamList, server.JSApiLeaderStepDown, server.JSApiRemoveServer,
		f(server.JSApiAccountPurgeT, "TUTTI"), f(server.JSApiStreamCreateT, "OTHER"), "$JS.FC.EVENTS_ROOM.x.y",
		f(server.JSDirectMsgGetT, "OTHER"), f(server.JSApiMsgGetT, "OTHER"),
	} {
		add(api)
	}
	for _, stream := range streams() {
		for _, change := range []string{
			server.JSApiStreamCreateT, server.JSApiStreamUpdateT, server.JSApiStreamDeleteT, server.JSApiStreamPurgeT,
			server.JSApiMsgDeleteT, server.JSApiStreamSnapshotT, server.JSApiStreamRestoreT, server.JSApiStreamRemovePeerT,
			server.JSApiStreamLeaderStepDownT, server.JSApiConsumersT, server.JSApiConsumerListT,
		} {
			add(f(change, stream))
		}
		add(f(server.JSApiStreamInfoT, stream), roles...)
	}
	return slices.Concat(out, reading(), consuming(), queues())
}

// reading lists the reads of streams that name no consumer, or one for the moment.
func reading() []rights {
	var out []rights
	add := func(subject string, who ...string) { out = append(out, rights{subject: subject, publish: who}) }
	f := fmt.Sprintf
	for service, who := range readers {
		for stream, filter := range map[string]string{
			subjects.StreamEvents(service):  subjects.Events(service, someID),
			subjects.StreamArchive(service): subjects.Archived(service, someID),
		} {
			add(f(server.JSApiMsgGetT, stream), who...)
			add(f(server.JSDirectMsgGetT, stream), who...)
			add(f(server.JSApiConsumerCreateExT, stream, "passing_1", filter), who...)
			add(f(server.JSApiConsumerCreateExT, stream, "passing_1", subjects.Snapshot(service, someID)))
			add(f(server.JSApiConsumerInfoT, stream, "passing_1"), who...)
			add(f(server.JSApiConsumerDeleteT, stream, "passing_1"), who...)
			add(f(server.JSApiRequestNextT, stream, "passing_1"), who...)
			add(f(server.JSApiConsumerPauseT, stream, "passing_1"))
			add(f(server.JSApiConsumerLeaderStepDownT, stream, "passing_1"))
		}
		add(f(server.JSDirectGetLastBySubjectT, subjects.StreamSnapshots, subjects.Snapshot(service, someID)), who...)
	}
	// Who publishes documents looks at what is there before; an edge reads all.
	state := subjects.StreamState
	add(f(server.JSApiMsgGetT, state), "auth", "profile", "room", "playlist", "edge")
	add(f(server.JSDirectMsgGetT, state), "edge")
	for table, p := range published {
		who := []string{"edge"}
		if table == subjects.TableProfiles || table == subjects.TableAccounts {
			who = append(who, "room") // what people are called
		}
		add(f(server.JSDirectGetLastBySubjectT, state, subjects.State(table, someID)), who...)
		add(f(server.JSDirectGetLastBySubjectT, state, subjects.Own(table, someUser, someID)), "edge")
		if p.by != "" {
			add(f(server.JSApiConsumerCreateExT, state, "passing_1", subjects.StateWildcard(table)), "edge")
			add(f(server.JSApiConsumerCreateExT, state, "passing_1", subjects.OwnWildcard(table, someUser)), "edge")
		}
	}
	// Dead letters are the operator's to look at, the queue is its owners'.
	for _, stream := range []string{subjects.StreamCommands, subjects.StreamDLQ, subjects.StreamSnapshots} {
		add(f(server.JSApiMsgGetT, stream))
		add(f(server.JSDirectMsgGetT, stream))
		add(f(server.JSApiConsumerCreateT, stream) + ".passing_1")
		add(f(server.JSApiConsumerCreateExT, stream, "passing_1", ">"))
		add(f(server.JSApiRequestNextT, stream, "passing_1"))
	}
	return out
}

// consumer lists everything that may be asked of a durable consumer.
func consumer(stream, name, filter string, who ...string) []rights {
	f := fmt.Sprintf
	var out []rights
	for _, subject := range []string{
		f(server.JSApiConsumerCreateT, stream) + "." + name,
		f(server.JSApiConsumerInfoT, stream, name),
		f(server.JSApiRequestNextT, stream, name),
		f("$JS.ACK.%s.%s.1.1.1.1.1", stream, name),
	} {
		out = append(out, rights{subject: subject, publish: who})
	}
	if filter != "" {
		out = append(out, rights{subject: f(server.JSApiConsumerCreateExT, stream, name, filter), publish: who})
	}
	return out
}

func consuming() []rights {
	var out []rights
	for _, d := range durables {
		out = append(out, consumer(d.stream, d.name, "", d.of)...)
	}
	return out
}

// queues are the consumers of the partitions' commands.
func queues() []rights {
	var out []rights
	for service := range verbs {
		for p := range 16 {
			name := fmt.Sprintf("%s-%d", service, p)
			out = append(out, consumer(subjects.StreamCommands, name, subjects.PartitionWildcard(subjects.DoorQueue, service, p), service)...)
			out = append(out, rights{subject: fmt.Sprintf(server.JSApiConsumerDeleteT, subjects.StreamCommands, name), publish: []string{service}})
			other := subjects.PartitionWildcard(subjects.DoorQueue, service, (p+1)%16)
			out = append(out, rights{subject: fmt.Sprintf(server.JSApiConsumerCreateExT, subjects.StreamCommands, name, other)})
		}
	}
	return out
}

// loose reports whether all roles together may ask what none of them may: they have all
// consumers and all reads, of whatever stream, but change none.
func loose(subject string) bool {
	for _, p := range []string{
		"$JS.API.STREAM.MSG.GET.", "$JS.API.DIRECT.GET.", "$JS.API.CONSUMER.CREATE.", "$JS.API.CONSUMER.INFO.",
		"$JS.API.CONSUMER.DELETE.", "$JS.API.CONSUMER.MSG.NEXT.",
	} {
		if len(subject) > len(p) && subject[:len(p)] == p {
			return true
		}
	}
	return false
}

func TestEachUserReadsItsStreams(t *testing.T) {
	s := run(t, read(t, "nats.conf"))
	all := requests()
	for _, user := range append([]string{"admin", "services", bot, "browser"}, roles...) {
		t.Run(user, func(t *testing.T) {
			c := login(t, s, user)
			for _, r := range all {
				want := may(r.publish, user) || user == "services" && loose(r.subject)
				if got := c.mayPublish(r.subject); got != want {
					t.Errorf("%s: allowed is %v, it should be %v", r.subject, got, want)
				}
			}
			t.Logf("%d requests", len(all))
		})
	}
}

// The operator makes streams, and so does who tests the load, in another account and within
// what that has.
func TestAdminAndBenchMakeStreams(t *testing.T) {
	s := run(t, read(t, "nats.conf"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for _, user := range []string{"admin", "bench"} {
		c := login(t, s, user)
		js, err := jetstream.New(c.Conn)
		must(t, user, err)
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: user, Subjects: []string{subjects.EventsWildcard("x")}, MaxBytes: 10 << 30})
		if user == "admin" {
			must(t, user, err)
		} else if err == nil {
			t.Error("bench may take 10 GB of the disk")
		}
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: user + "-small", Subjects: []string{subjects.EventsWildcard("y")}, MaxBytes: 1 << 20})
		must(t, user, err)
		if got, want := len(streamNames(t, c.Conn)), map[string]int{"admin": 2, "bench": 1}[user]; got != want {
			t.Errorf("%s sees %d streams, there are %d in its account", user, got, want)
		}
	}
}

// What is published in one account nobody hears in another, though subjects are the same.
func TestBenchIsAWorldOfItsOwn(t *testing.T) {
	s := run(t, read(t, "nats.conf"))
	bench, admin, sys := login(t, s, "bench"), login(t, s, "admin"), login(t, s, "sys")
	subject := subjects.Feed(subjects.ServiceRoom, someID)
	heard := map[*client]*nats.Subscription{}
	for _, c := range []*client{bench, admin, sys} {
		sub, err := c.SubscribeSync(subjects.Root + ".>")
		must(t, c.user, err)
		must(t, c.user, c.FlushTimeout(patience))
		heard[c] = sub
	}
	for _, c := range []*client{bench, admin} {
		must(t, c.user, c.Publish(subject, []byte(c.user)))
		must(t, c.user, c.FlushTimeout(patience))
	}
	for c, sub := range heard {
		must(t, c.user, c.FlushTimeout(patience)) // what was sent here has come
		n, _, err := sub.Pending()
		must(t, c.user, err)
		if want := map[string]int{"bench": 1, "admin": 1}[c.user]; n != want {
			t.Errorf("%s heard %d messages, not %d", c.user, n, want)
			continue
		}
		if n == 1 {
			m, err := sub.NextMsg(patience)
			must(t, c.user, err)
			if string(m.Data) != c.user {
				t.Errorf("%s heard what %s published", c.user, m.Data)
			}
		}
	}
}

// Who has no password, a wrong one, or another's gets nowhere.
func TestNobodyLogsInWithoutAPassword(t *testing.T) {
	s := run(t, read(t, "nats.conf"))
	for _, o := range []nats.Option{
		nats.UserInfo("", ""), nats.UserInfo("admin", ""), nats.UserInfo("admin", "admin"),
		nats.UserInfo("admin", users["browser"]), nats.UserInfo("nobody", users["admin"]), nats.Token(users["admin"]),
	} {
		nc, err := nats.Connect(s.ClientURL(), o)
		if err == nil {
			nc.Close()
			t.Fatal("somebody logged in")
		}
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%v", err)
		}
	}
}
