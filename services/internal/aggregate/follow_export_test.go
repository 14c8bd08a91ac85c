package aggregate

// Check compares heads at once, and returns when all were looked at.
func (w *Follower[S, E]) Check(since uint64) (upTo uint64, err error) { return w.check(since, false) }
