package client

// table finds the open streams by their numbers: open addressing, because the numbers of a client are
// consecutive and spread by themselves. The zero value is empty.
type table struct {
	slots []*Stream // a power of two, at most half full
	n     int
}

func (t *table) home(id uint32) int { return int(id>>1) & (len(t.slots) - 1) }

// find returns the stream with a number, nil if it is not open.
func (t *table) find(id uint32) *Stream {
	if t.n == 0 {
		return nil
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		if s := t.slots[i]; s == nil || s.id == id {
			return s
		}
	}
}

func (t *table) add(s *Stream) {
	if 2*(t.n+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]*Stream, max(16, 2*len(old)))
		for _, o := range old {
			if o != nil {
				t.place(o)
			}
		}
	}
	t.place(s)
	t.n++
}

func (t *table) place(s *Stream) {
	i := t.home(s.id)
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
}

// remove takes a stream out that is in the table, and moves those behind it up that would not be found any more.
func (t *table) remove(s *Stream) {
	mask := len(t.slots) - 1
	hole := t.home(s.id)
	for t.slots[hole] != s {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		home := t.home(t.slots[i].id)
		if (i-home)&mask >= (i-hole)&mask { // its way from home leads over the hole
			t.slots[hole], hole = t.slots[i], i
		}
	}
	t.slots[hole] = nil
	t.n--
}

// each calls f for every stream; f may remove none.
func (t *table) each(f func(*Stream)) {
	for _, s := range t.slots {
		if s != nil {
			f(s)
		}
	}
}
