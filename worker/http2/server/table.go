package server

// tableSlots is the number of chains of the table of streams: a power of two.
const tableSlots = 32

// table finds open streams by their number. Streams are chained through next.
type table struct {
	slots [tableSlots]*Stream
	n     int
}

func (t *table) slot(id uint32) **Stream { return &t.slots[id>>1%tableSlots] }

func (t *table) get(id uint32) *Stream {
	s := *t.slot(id)
	for s != nil && s.id != id {
		s = s.next
	}
	return s
}

func (t *table) put(s *Stream) {
	at := t.slot(s.id)
	s.next, *at = *at, s
	t.n++
}

// remove takes s out, and reports whether it was there.
func (t *table) remove(s *Stream) bool {
	for at := t.slot(s.id); *at != nil; at = &(*at).next {
		if *at == s {
			*at, s.next = s.next, nil
			t.n--
			return true
		}
	}
	return false
}

// any returns one of the streams, nil if there is none.
func (t *table) any() *Stream {
	if t.n == 0 {
		return nil
	}
	for _, s := range t.slots {
		if s != nil {
			return s
		}
	}
	return nil
}

// each calls fn for every stream. fn may not change the table.
func (t *table) each(fn func(*Stream)) {
	if t.n == 0 {
		return
	}
	for _, s := range t.slots {
		for ; s != nil; s = s.next {
			fn(s)
		}
	}
}

// ringSize is how many closed streams are remembered.
const ringSize = 64

// closedRing remembers how streams were closed, because it decides what a late frame means (RFC 9113 section 5.1): on a
// stream that was reset here it is only late, on any other it is a mistake. Elements are the stream's number
// and, in the lowest bit, whether it was reset here.
type closedRing struct {
	ids  [ringSize]uint32
	next int
	full bool
}

func (r *closedRing) add(id uint32, byUs bool) {
	entry := id << 1
	if byUs {
		entry |= 1
	}
	r.ids[r.next] = entry
	if r.next++; r.next == ringSize {
		r.next, r.full = 0, true
	}
}

// fate is what is known of a stream that is not open.
type fate uint8

const (
	fateSkipped   fate = iota // never used
	fateEnded                 // closed by both sides, or reset by the client
	fateResetHere             // reset by us: the client may not know yet
	fateForgotten             // closed long ago, or never used
)

func (r *closedRing) fate(id uint32) fate {
	for _, entry := range r.ids {
		if entry>>1 != id {
			continue
		}
		if entry&1 != 0 {
			return fateResetHere
		}
		return fateEnded
	}
	if r.full {
		return fateForgotten
	}
	return fateSkipped
}
