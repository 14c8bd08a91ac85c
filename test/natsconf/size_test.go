package natsconf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tuttihq/tutti/subjects"
)

// size runs size.sh on nats.conf.
func size(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh on PATH")
	}
	conf, err := os.Open(filepath.Join(root, "nats.conf"))
	must(t, "nats.conf", err)
	defer func() { _ = conf.Close() }()
	cmd := exec.Command(shell, append([]string{filepath.Join(root, "deploy", "nats", "size.sh")}, args...)...)
	cmd.Stdin = conf
	return cmd.Output()
}

// sized writes nats.conf for other numbers, and gives its path from the root.
func sized(t *testing.T, partitions, shards int) string {
	t.Helper()
	out, err := size(t, fmt.Sprint(partitions), fmt.Sprint(shards))
	must(t, "size.sh", err)
	path := filepath.Join(t.TempDir(), "nats.conf")
	must(t, "write", os.WriteFile(path, out, 0o600))
	abs, err := filepath.Abs(root)
	must(t, "root", err)
	rel, err := filepath.Rel(abs, path)
	must(t, "path", err)
	return rel
}

func TestSizeOfAsItIs(t *testing.T) {
	out, err := size(t, "16", "1")
	must(t, "size.sh", err)
	was, err := os.ReadFile(filepath.Join(root, "nats.conf"))
	must(t, "nats.conf", err)
	if !bytes.Equal(out, was) {
		t.Error("for 16 partitions and one shard the file is not as it was")
	}
	for _, args := range [][]string{{}, {"16"}, {"0", "1"}, {"16", "65"}, {"x", "1"}, {"-4", "1"}} {
		if _, err := size(t, args...); err == nil {
			t.Errorf("size.sh %v did not complain", args)
		}
	}
}

// With other numbers a service has the queues of all partitions, and all shards of its log.
func TestSizeOfOthers(t *testing.T) {
	const partitions, shards = 20, 3
	s := run(t, read(t, sized(t, partitions, shards)))
	for service := range verbs {
		log := subjects.Log{Service: service, Shards: shards}
		c, other := login(t, s, service), login(t, s, "auth")
		for p := range partitions {
			for _, r := range consumer(subjects.StreamCommands, fmt.Sprintf("%s-%d", service, p),
				subjects.PartitionWildcard(subjects.DoorQueue, service, p)) {
				if !c.mayPublish(r.subject) {
					t.Errorf("%s may not %s", service, r.subject)
				}
				if other.mayPublish(r.subject) {
					t.Errorf("auth may %s", r.subject)
				}
			}
		}
		if name := fmt.Sprintf("%s-%d", service, partitions); c.mayPublish(fmt.Sprintf(server.JSApiConsumerInfoT, subjects.StreamCommands, name)) {
			t.Errorf("%s has a partition too many", service)
		}
		for i, stream := range append(log.Streams(), log.Stream(shards), subjects.StreamEvents(service)) {
			for _, api := range []string{server.JSApiStreamInfoT, server.JSApiMsgGetT, server.JSDirectMsgGetT} {
				if got := c.mayPublish(fmt.Sprintf(api, stream)); got != (i < shards) {
					t.Errorf("%s reads %s: %v", service, stream, got)
				}
			}
		}
		door, err := subjects.Command{Service: service, ID: someID, Verb: "x", Principal: someUser}.Subject(subjects.DoorAsk)
		must(t, "subject", err)
		routed, err := subjects.Command{Service: service, ID: someID, Verb: "x", Principal: someUser}.Routed(subjects.DoorAsk, partitions)
		must(t, "subject", err)
		sub, err := c.SubscribeSync(routed)
		must(t, "hear", err)
		must(t, "flush", c.FlushTimeout(patience))
		must(t, "ask", login(t, s, "edge").Publish(door, nil))
		if _, err := sub.NextMsg(patience); err != nil {
			t.Errorf("a command does not come to its partition: %v", err)
		}
	}
}
