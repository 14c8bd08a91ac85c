package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tuttihq/tutti/services/cluster"
	"github.com/tuttihq/tutti/subjects"
)

// target is what a fault may cost a client at most, on a machine with room to spare; 0 says
// that nothing is meant. A trial fails at slack times that.
type target time.Duration

const (
	anyPause     target = 0
	serviceDeath        = target(3 * time.Second)
	nodeDeath           = target(5 * time.Second)
	storeOutage         = target(time.Second) // none: no more than without a fault
	handover            = target(200 * time.Millisecond)
)

// slack is by how much a loaded machine may miss a target.
const slack = 10

// fault is one thing that is broken, and mended.
type fault struct {
	what   string
	target target
	do     func(ctx context.Context) error
}

// down is how long what was killed stays away: longer than it takes others to notice.
const down = 5 * time.Second

// broken are the faults of a cluster.
type broken struct{ *cluster.Cluster }

// killed ends a process by SIGKILL, and starts it again a while later.
func (b broken) killed(what string, limit target, name string, away time.Duration) fault {
	return fault{what, limit, func(ctx context.Context) error { return b.kill(ctx, name, away) }}
}

func (b broken) kill(ctx context.Context, name string, away time.Duration) error {
	if err := b.Kill(name); err != nil {
		return err
	}
	pause(ctx, away)
	return b.Launch(ctx, name)
}

// frozen halts a process for a time.
func (b broken) frozen(what string, limit target, name string, d time.Duration) fault {
	return fault{what, limit, func(ctx context.Context) error { return b.freeze(ctx, name, d) }}
}

func (b broken) freeze(ctx context.Context, name string, d time.Duration) error {
	if err := b.Freeze(name); err != nil {
		return err
	}
	pause(ctx, d)
	return b.Thaw(name)
}

// stopped ends a process by SIGTERM, so that it hands over what it owns.
func (b broken) stopped(what string, limit target, name string) fault {
	return fault{what, limit, func(ctx context.Context) error { return b.restart(ctx, name) }}
}

// hit has something done to the process of a class that does the most at the moment: the
// one that owns what the trial is about.
func (b broken) hit(what string, limit target, class cluster.Class, do func(ctx context.Context, name string) error) fault {
	return fault{what, limit, func(ctx context.Context) error {
		name, err := b.busiest(ctx, class)
		if err != nil {
			return err
		}
		return do(ctx, name)
	}}
}

// busiest gives the process of a class that carries out the most commands in a second. Of
// a class that carries out none it is the first.
func (b broken) busiest(ctx context.Context, class cluster.Class) (string, error) {
	names := b.Names(class)
	count := func() ([]float64, error) {
		var out []float64
		for _, n := range names {
			p, err := b.Process(n)
			if err != nil {
				return nil, err
			}
			v, err := commands(ctx, p.Metrics)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	before, err := count()
	if err != nil {
		return "", err
	}
	pause(ctx, time.Second)
	after, err := count()
	if err != nil {
		return "", err
	}
	most := 0
	for i := range names {
		if after[i]-before[i] > after[most]-before[most] {
			most = i
		}
	}
	return names[most], nil
}

// commands reads from a process's metrics how many commands it has carried out.
func commands(ctx context.Context, metrics string) (float64, error) {
	text, err := fetch(ctx, metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && strings.HasPrefix(line, "tutti_command_duration_seconds_count{") {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
			if err != nil {
				return 0, err
			}
			sum += v
		}
	}
	return sum, nil
}

func (b broken) restart(ctx context.Context, name string) error {
	if err := b.Stop(ctx, name); err != nil {
		return err
	}
	return b.Launch(ctx, name)
}

// cut parts a process from NATS for a time.
func (b broken) cut(what string, limit target, name string, d time.Duration) fault {
	return fault{what, limit, func(ctx context.Context) error {
		if err := b.Cut(name); err != nil {
			return err
		}
		pause(ctx, d)
		return b.Mend(name)
	}}
}

// beheaded kills the leader of the rooms' log, as often as said, each time another one. Its
// newest messages may not have been republished: who follows rooms must find out.
func (b broken) beheaded(times int) fault {
	what := "SIGKILL the NATS node that leads EVENTS_ROOM"
	if times > 1 {
		what += fmt.Sprintf(", %d times", times)
	}
	return fault{what, nodeDeath, func(ctx context.Context) error {
		for i := range times {
			if i > 0 {
				pause(ctx, down) // until the one before is over
			}
			leader, err := b.leader(ctx)
			if err == nil {
				err = b.kill(ctx, leader, down)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

// leader gives the NATS node that leads the rooms' log.
func (b broken) leader(ctx context.Context) (string, error) {
	for {
		leader, err := b.Leader(ctx, subjects.StreamEvents(subjects.ServiceRoom))
		if !errors.Is(err, cluster.ErrNotReady) || !pause(ctx, 50*time.Millisecond) {
			return leader, err
		}
	}
}

// dark kills all NATS nodes at once, as a power cut of their processes.
func (b broken) dark() fault {
	return fault{"SIGKILL all NATS nodes at once", anyPause, func(ctx context.Context) error {
		nodes := b.Names(cluster.ClassNATS)
		for _, n := range nodes {
			if err := b.Kill(n); err != nil {
				return err
			}
		}
		launched := make(chan error, len(nodes))
		for _, n := range nodes { // one is ready when a majority is
			go func() { launched <- b.Launch(ctx, n) }()
		}
		var errs []error
		for range nodes {
			errs = append(errs, <-launched)
		}
		return errors.Join(errs...)
	}}
}

// follower kills a NATS node that does not lead the rooms' log.
func (b broken) follower() fault {
	return fault{"SIGKILL a NATS node that follows", nodeDeath, func(ctx context.Context) error {
		leader, err := b.leader(ctx)
		if err != nil {
			return err
		}
		for _, n := range b.Names(cluster.ClassNATS) {
			if n != leader {
				return b.kill(ctx, n, down)
			}
		}
		return errors.New("there is no node that follows")
	}}
}

// rolled restarts every process, one after the other: an upgrade.
func (b broken) rolled() fault {
	return fault{"restart every process, one by one", nodeDeath, func(ctx context.Context) error {
		for _, p := range b.Processes() {
			if p.Class == cluster.ClassRethinkDB {
				continue // an outage of the store, which has a row of its own
			}
			if err := b.restart(ctx, p.Name); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		return nil
	}}
}

// filled fills a process's directory, which is a small disk of its own, for a time. What
// gives up meanwhile is started again when there is room.
func (b broken) filled(what string, limit target, name string, d time.Duration) fault {
	return fault{what, limit, func(ctx context.Context) error {
		p, err := b.Process(name)
		if err != nil {
			return err
		}
		ballast := filepath.Join(p.Dir, "ballast")
		if err := fill(ballast); err != nil {
			return err
		}
		pause(ctx, d)
		if err := os.Remove(ballast); err != nil {
			return err
		}
		// An operator who has made room starts what has suffered again.
		if err := b.Kill(name); err != nil && !errors.Is(err, cluster.ErrNotRunning) {
			return err
		}
		return b.Launch(ctx, name)
	}}
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		n, err := f.Write(chunk)
		if err != nil && n == 0 {
			chunk = chunk[:len(chunk)/2] // what is left is less than that
		}
	}
	return nil
}

// embedded are the faults of a cluster whose documents are in SQLite.
func (b broken) embedded(disk string) []fault {
	all := []fault{
		{"none", anyPause, func(ctx context.Context) error { pause(ctx, down); return nil }},
		b.killed("SIGKILL the process of all services", anyPause, "services-1", 0),
		b.stopped("SIGTERM the process of all services", anyPause, "services-1"),
		b.killed("SIGKILL an edge", serviceDeath, "edge-1", down),
		b.cut("cut an edge off from NATS for 10 s", anyPause, "edge-2", 10*time.Second),
		b.follower(),
		b.beheaded(3),
		b.dark(),
	}
	if disk != "" {
		all = append(all, b.filled("fill the disk of a NATS node for 10 s", nodeDeath, disk, 10*time.Second))
	}
	roll := b.rolled()
	roll.target = anyPause // there is one process of all services
	return append(all, roll)
}

// apart are those of a cluster on RethinkDB, where each service has two processes.
func (b broken) apart(disk string) []fault {
	all := []fault{{"none", anyPause, func(ctx context.Context) error { pause(ctx, down); return nil }}}
	kill := func(ctx context.Context, name string) error { return b.kill(ctx, name, down) }
	for _, class := range []cluster.Class{cluster.ClassAuth, cluster.ClassProfile, cluster.ClassRoom, cluster.ClassPlaylist, cluster.ClassChat, cluster.ClassEdge} {
		all = append(all, b.hit("SIGKILL a process of "+string(class), serviceDeath, class, kill))
	}
	all = append(all,
		b.hit("SIGSTOP a process of room for 20 s", serviceDeath, cluster.ClassRoom, func(ctx context.Context, name string) error {
			return b.freeze(ctx, name, 20*time.Second)
		}),
		b.hit("SIGTERM a process of room", handover, cluster.ClassRoom, b.restart),
		b.hit("SIGTERM a process of playlist", handover, cluster.ClassPlaylist, b.restart),
		b.cut("cut an edge off from NATS for 10 s", anyPause, "edge-2", 10*time.Second),
		b.follower(),
		b.beheaded(3),
		b.dark(),
		b.frozen("SIGSTOP RethinkDB for 30 s", storeOutage, "rethinkdb", 30*time.Second),
		b.killed("SIGKILL RethinkDB", storeOutage, "rethinkdb", down),
	)
	if disk != "" {
		all = append(all, b.filled("fill the disk of RethinkDB for 10 s", storeOutage, disk, 10*time.Second))
	}
	return append(all, b.rolled())
}
