package bus

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestNewStreamsHaveThreeReplicasOnThreeServers(t *testing.T) {
	for _, c := range []struct {
		url       string
		set, want int
	}{
		{"", 0, 1}, {"nats://a", 0, 1}, {"nats://a,nats://b", 0, 1}, {"nats://a,nats://b,nats://c", 0, 3},
		{"nats://a", 5, 5}, {"nats://a,nats://b,nats://c", 1, 1},
	} {
		if got := (Config{URL: c.url, Replicas: c.set}).replicasToMake(); got != c.want {
			t.Errorf("%q with %d: %d, want %d", c.url, c.set, got, c.want)
		}
	}
}

// A tool that was told nothing must not take a deployment's replicas, nor what else its
// operator has set.
func TestWhatAnOperatorHasSetStays(t *testing.T) {
	there := jetstream.StreamConfig{
		Replicas: 3, MaxBytes: 1 << 30, Compression: jetstream.S2Compression, Placement: &jetstream.Placement{Tags: []string{"ssd"}},
	}
	got := Config{}.keeping(jetstream.StreamConfig{Replicas: 1}, there)
	if got.Replicas != 3 || got.MaxBytes != 1<<30 || got.Compression != jetstream.S2Compression || got.Placement != there.Placement {
		t.Errorf("told nothing: %+v", got)
	}
	got = Config{Replicas: 5}.keeping(jetstream.StreamConfig{Replicas: 5, MaxBytes: 7}, there)
	if got.Replicas != 5 || got.MaxBytes != 7 {
		t.Errorf("told: %+v", got)
	}
}

// A start changes a stream only if it is not as it should be.
func TestAStreamThatIsAsWantedIsLeftAlone(t *testing.T) {
	b := &Bus{cfg: Config{Partitions: 4}}
	for _, want := range streams([]string{"toy"}, 1, 1) {
		want.Metadata = b.metadata()
		there := want
		there.MaxBytes, there.MaxMsgsPerSubject = max(want.MaxBytes, -1), want.MaxMsgsPerSubject
		if there.MaxBytes == 0 {
			there.MaxBytes = -1 // as the server says it
		}
		if !kept(there, want) {
			t.Errorf("%s would be changed", want.Name)
		}
		for what, change := range map[string]func(*jetstream.StreamConfig){
			"subjects":    func(c *jetstream.StreamConfig) { c.Subjects = []string{"other"} },
			"replicas":    func(c *jetstream.StreamConfig) { c.Replicas = 3 },
			"republish":   func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{Source: "a", Destination: "b"} },
			"metadata":    func(c *jetstream.StreamConfig) { c.Metadata = map[string]string{} },
			"age":         func(c *jetstream.StreamConfig) { c.MaxAge++ },
			"per subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject += 2 },
			"direct":      func(c *jetstream.StreamConfig) { c.AllowDirect = !c.AllowDirect },
		} {
			other := there
			change(&other)
			if kept(other, want) {
				t.Errorf("%s with other %s would be left alone", want.Name, what)
			}
		}
	}
}
