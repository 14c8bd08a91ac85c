package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tuttihq/tutti/subjects"
)

// ErrNoInbox is returned by Reply for a subject that no answer may go to.
var ErrNoInbox = errors.New("bus: not an inbox")

// Reply publishes an answer to the subject that the asker named. NATS does not check what
// somebody names there against what they may publish to, and this process may publish
// everywhere: an answer to one of Tutti's own subjects would stand in a log or pass for a
// command, and one to the server's ("$JS.API…") might be carried out. So none goes there:
// ErrNoInbox.
func (b *Bus) Reply(inbox string, data []byte) error {
	if !isInbox(inbox) {
		return fmt.Errorf("%w: %q", ErrNoInbox, inbox)
	}
	return b.nc.Publish(inbox, data)
}

func isInbox(subject string) bool {
	return subject != "" && !strings.HasPrefix(subject, subjects.Root+".") && !strings.HasPrefix(subject, "$")
}
