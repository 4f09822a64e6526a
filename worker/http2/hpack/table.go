package hpack

import "pingap/message"

const (
	// overhead is what an entry counts beside its name and value (section 4.1).
	overhead = 32
	// DefaultTable is the size of a table in bytes until a setting says something else (RFC 9113 section 6.5.2).
	DefaultTable = 4096

	firstRing = 8
	firstData = 256
)

// entry is one field of a dynamic table.
type entry struct {
	at          uint32 // where its name begins, counted from the table's first byte ever; the value follows
	name, value uint32 // lengths
	hash, prev  uint32 // the encoder's: see Encoder.find
	id          message.Name
}

// table is a dynamic table (section 2.3.2): a queue of entries, and a buffer that holds their bytes in the same order. Positions and
// entry numbers count on for ever and wrap around; only differences matter.
type table struct {
	data        []byte  // bytes of dead entries, then of live ones
	base        uint32  // position of data[0]
	ring        []entry // by number modulo its length, a power of two
	first, next uint32  // number of the oldest entry, and of the next to come
	size, max   int     // as section 4.1 counts
}

func (t *table) len() int { return int(t.next - t.first) }

// entry returns the entry with a number between first and next.
func (t *table) entry(n uint32) *entry { return &t.ring[n&uint32(len(t.ring)-1)] }

// bytes returns name and value of an entry in one piece: a view until the next change.
func (t *table) bytes(e *entry) []byte {
	at := e.at - t.base
	return t.data[at : at+e.name+e.value]
}

// add makes room and appends an entry (section 4.4). It returns nil when it is larger than the table, which is empty then. name and value
// must not be views of the table.
func (t *table) add(id message.Name, name, value []byte) *entry {
	size := len(name) + len(value) + overhead
	t.evict(t.max - size)
	if size > t.max {
		return nil
	}
	if t.len() == len(t.ring) {
		t.growRing()
	}
	t.reserve(len(name) + len(value))
	e := t.entry(t.next)
	*e = entry{at: t.base + uint32(len(t.data)), name: uint32(len(name)), value: uint32(len(value)), id: id}
	t.data = append(append(t.data, name...), value...)
	t.next++
	t.size += size
	return e
}

// resize sets the maximum (section 4.3).
func (t *table) resize(max int) {
	t.max = max
	t.evict(max)
}

// evict removes the oldest entries until at most size is left.
func (t *table) evict(size int) {
	for t.size > size && t.first != t.next {
		e := t.entry(t.first)
		t.size -= int(e.name+e.value) + overhead
		t.first++
	}
}

// reserve makes room for n bytes behind data. Moving what lives to the front is worth it when half is dead; a buffer as large as the
// table's maximum always has room after it, because every live entry counts for 32 bytes that are not in it.
func (t *table) reserve(n int) {
	if len(t.data)+n <= cap(t.data) {
		return
	}
	dead := len(t.data)
	if t.first != t.next {
		dead = int(t.entry(t.first).at - t.base)
	}
	live := t.data[dead:]
	if room := len(live) + n; room > cap(t.data) || dead*2 < cap(t.data) && cap(t.data) < t.max {
		t.data = make([]byte, 0, min(max(2*cap(t.data), room, firstData), max(t.max, room)))
	}
	t.data = append(t.data[:0], live...)
	t.base += uint32(dead)
}

func (t *table) growRing() {
	ring := make([]entry, max(2*len(t.ring), firstRing))
	for n := t.first; n != t.next; n++ {
		ring[n&uint32(len(ring)-1)] = *t.entry(n)
	}
	t.ring = ring
}
