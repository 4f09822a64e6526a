package health

// line bounds how many checks of a sort are under way. Those that find no place wait for their turn.
type line struct {
	most  int
	busy  int
	slow  int       // of busy: of targets whose last check timed out
	queue []*target // in the order in which they became due
	slows []*target // the same, of targets whose last check timed out
}

// enter takes a place for t, or has it wait.
func (l *line) enter(t *target) bool {
	t.line = l
	if l.free(t.slow) {
		l.take(t)
		return true
	}
	if t.slow {
		l.slows = append(l.slows, t)
	} else {
		l.queue = append(l.queue, t)
	}
	return false
}

// free says whether there is a place. Backends that answer nothing hold theirs for long: some are left for the others.
func (l *line) free(slow bool) bool {
	return l.busy < l.most && (!slow || l.slow < (l.most*3+3)/4)
}

func (l *line) take(t *target) {
	t.busy = true
	l.busy++
	if t.slow {
		l.slow++
	}
}

// leave gives the place of t back, or its turn.
func (l *line) leave(t *target) {
	if t.busy {
		t.busy = false
		l.release(t.slow)
	}
	t.line = nil
}

func (l *line) release(slow bool) {
	l.busy--
	if slow {
		l.slow--
	}
}

// next is the target whose turn it is, with a place; nil for none.
func (l *line) next() *target {
	if t := l.first(&l.queue, false); t != nil {
		return t
	}
	return l.first(&l.slows, true)
}

func (l *line) first(queue *[]*target, slow bool) *target {
	for len(*queue) > 0 && l.free(slow) {
		t := (*queue)[0]
		(*queue)[0] = nil
		*queue = (*queue)[1:]
		if t.line == l && !t.busy { // it did not go meanwhile
			l.take(t)
			return t
		}
	}
	return nil
}
