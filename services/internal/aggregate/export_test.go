package aggregate

// LetGo releases a partition as if another replica had taken it. The host takes it again
// within a second.
func (h *Host[S, C, E]) LetGo(p int) {
	h.mu.Lock()
	part := h.owned[p]
	delete(h.owned, p)
	h.mu.Unlock()
	if part != nil {
		h.release(p, part)
	}
}
