package cache

import (
	"math"

	"github.com/maypok86/otter/v2"
)

// store is where responses are kept. Its methods are called by many goroutines.
type store interface {
	// get returns what is stored; nil for nothing.
	get(k Key) *Object
	// put stores a response without a body, or with one that is in memory.
	put(k Key, h *Head, body []byte) bool
	// remove forgets a response, and reports whether there was one.
	remove(k Key) bool
	// purge forgets all that match.
	purge(match func(*Head) bool) (removed, failed int)
	// spool returns where the body of a response is kept while it comes; nil for memory, ok is false where there is no room.
	spool(h *Head) (s *spool, ok bool)
}

// overhead is about what an object costs beside its bytes. A body of up to MaxWire may be kept once more, as it is sent.
const (
	overhead = 512
	MaxWire  = 16 << 10
)

// memory keeps responses in this process.
type memory struct{ kept *otter.Cache[Key, *Object] }

func newMemory(maxBytes int64) *memory {
	return &memory{otter.Must(&otter.Options[Key, *Object]{MaximumWeight: uint64(maxBytes), Weigher: weigh})}
}

func weigh(_ Key, o *Object) uint32 {
	n := overhead + len(o.Key) + cap(o.Body) + min(cap(o.Body), MaxWire)
	for i := range o.Fields {
		n += 64 + len(o.Fields[i].Name) + len(o.Fields[i].Value)
	}
	return uint32(min(n, math.MaxUint32))
}

func (m *memory) get(k Key) *Object {
	o, _ := m.kept.GetIfPresent(k) // nil for none
	return o
}

func (m *memory) put(k Key, h *Head, body []byte) bool {
	if cap(body)-len(body) > len(body)/8 {
		body = append(make([]byte, 0, len(body)), body...)
	}
	m.kept.Set(k, &Object{Head: h, Body: body})
	return true
}

func (m *memory) remove(k Key) bool {
	_, ok := m.kept.Invalidate(k)
	return ok
}

func (m *memory) purge(match func(*Head) bool) (removed, failed int) {
	for k, o := range m.kept.All() {
		if match(o.Head) && m.remove(k) && !o.mark() {
			removed++
		}
	}
	return removed, 0
}

func (m *memory) spool(*Head) (*spool, bool) { return nil, true }
