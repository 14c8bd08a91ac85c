package aggregate

// Check compares heads at once, and returns when all were looked at.
func (w *Follower[S, E]) Check(since Marks) (upTo Marks, err error) { return w.check(since, false) }
