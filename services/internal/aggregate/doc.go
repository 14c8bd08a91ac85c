// Package aggregate is the kernel: it turns a service's pure functions (see Machine) into
// sequential, durable, restartable aggregates in which every command takes effect once.
//
// # How a command travels
//
// A Host owns some partitions of its service's aggregates and hears their commands, both
// those that somebody waits for and those queued in a stream. It hands each to the
// Engine, which keeps one actor per live aggregate. An actor takes what has queued up,
// decides command after command on the evolving state, and appends the events of all of
// them as one message at the log's expected sequence. That append is the moment they are
// accepted; only then are the answers sent.
//
// # What the kernel promises
//
//   - One command takes effect once. Its (principal, id) is remembered in the folded
//     state, so a repeat gets the first answer from every owner, after every crash. The
//     memory is bounded by age and by number (see memory.go); an id older than what is
//     remembered is refused as expired.
//   - Two owners at once do no harm: the append of the one that is behind is refused
//     (ErrFenced), and it reloads and decides again.
//   - A refusal is sent only when the state that it was decided on is known to be the
//     log's head at some moment between question and answer: by the success of the batch's
//     append, or by one read of the head for the whole batch. A command that was sent
//     before without an answer may still be under way with another owner: its refusal is
//     confirmed by an append, and what nobody waits for any more is not decided (see
//     Delivery.Again and Delivery.Stale).
//   - One sender's commands to one aggregate are decided in the order in which they
//     arrived, also while one of them is being prepared.
//   - An append whose outcome is unknown is looked up before anything is answered.
//   - Timers are scheduled on the server before the commit that needs them, again on load,
//     and before a schedule that came too early is acknowledged; in the process they are
//     exact, also in a room that is never idle.
//   - A command that meets a defect, or whose events are too large, is refused alone: what
//     was decided with it is decided again.
//   - A snapshot that does not fit the log is thrown away; one that is ahead of it tells
//     that the log has lost its tail, and raises the epoch.
//
// # Bounds
//
// Options names them: queued commands of an aggregate (busy), commands and bytes of a
// commit, live aggregates, concurrent loads and preparations. An aggregate asleep costs
// nothing; an idle one goes to sleep by itself.
//
// # Files
//
// machine.go is what a service implements; journal.go the seam to the log, with
// JetStream behind it in jetstream.go; engine.go, actor.go, commit.go and append.go the
// sequential core, prepare.go and timer.go what goes on beside it; load.go, snapshot.go
// and memory.go what an actor wakes with; host.go, queue.go and lease.go the ownership of
// partitions; reader.go and history.go a fold for those who only look, follow.go (and
// follow_feed.go, the seam to the live commits) one that is kept live; reaction.go how
// one service's events become another's commands; watch.go what metrics and traces are
// told.
package aggregate
