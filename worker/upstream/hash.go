package upstream

// hashed returns the first backend on the ring, from the key on, that can take the request.
func (t *tier) hashed(c *choice, key uint64) *Backend {
	start := t.ring.Start(key)
	if b := t.entries[t.ring.At(start)].backend; c.may(b) && c.take(b) {
		return b
	}
	if !c.anyOf(t.entries) { // the way round is long
		return nil
	}
	for i := range t.ring {
		if b := t.entries[t.ring.At(start+i)].backend; c.may(b) && c.take(b) {
			return b
		}
	}
	return nil
}
