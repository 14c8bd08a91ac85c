package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress draws how far a longer work is: a bar for each of its parts, one after the other,
// and only for somebody who watches a terminal.
type progress struct {
	to   io.Writer
	part string
	bar  *progressbar.ProgressBar
}

func newProgress(to io.Writer) *progress {
	if f, ok := to.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &progress{to: to}
		}
	}
	return &progress{}
}

// tell is a services.Progress. A bar that cannot be drawn is no reason to stop.
func (p *progress) tell(part string, done, total uint64) {
	if p.to == nil {
		return
	}
	if p.bar == nil || p.part != part {
		p.end()
		p.part = part
		most := int64(total)
		if total == 0 {
			most = -1 // a spinner
		}
		p.bar = progressbar.NewOptions64(most, progressbar.OptionSetWriter(p.to), progressbar.OptionSetDescription(part),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	if total > 0 {
		p.bar.ChangeMax64(int64(total))
	}
	_ = p.bar.Set64(int64(done))
}

// end takes the last bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
	p.bar = nil
}
