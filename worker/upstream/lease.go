package upstream

import (
	"sync/atomic"

	"pingap/arena"
)

// lease is the record that a backend has for a time, with what this process counts there. What is in flight when the record changes is
// taken off the one it was added to: requests are not told apart, but each lease loses as many as it got.
type lease struct {
	rec    *arena.Record // nil where nothing looks at it
	shared bool          // with other processes
	count  atomic.Int64  // in flight in this process
	older  []*lease      // the one before, and more with requests in flight
	_      [16]byte      // a line of the cache each: they are written at all times
}

// newLease returns one of this process's own.
func newLease(u *Upstream, older []*lease) *lease {
	l := &lease{older: older}
	if u.rules != nil {
		l.rec = arena.NewRecord()
	}
	return l
}

// setRecord gives the backend a record; nil takes it away. Who holds Upstream.mu calls it.
func (b *Backend) setRecord(r *arena.Record) {
	l := b.lease.Load()
	switch {
	case r == nil && l.shared:
		b.lease.CompareAndSwap(l, newLease(b.owner, l.inUse()))
	case r != nil && !(l.shared && l.rec.Word(0) == r.Word(0) && l.rec.Valid()):
		if !b.lease.CompareAndSwap(l, &lease{rec: r, shared: true, older: l.inUse()}) {
			b.setRecord(r) // its row was just lost
		}
	}
}

// current returns the lease of the backend. A record that belongs to something else by now is not touched any more.
func (b *Backend) current() *lease {
	l := b.lease.Load()
	if !l.shared || l.rec.Valid() {
		return l
	}
	b.lease.CompareAndSwap(l, newLease(b.owner, l.inUse()))
	return b.lease.Load()
}

// inUse lists the lease, on which a request may begin at this moment, and those before it that have requests in flight.
func (l *lease) inUse() []*lease {
	list := []*lease{l}
	for _, o := range l.older {
		if o.count.Load() > 0 {
			list = append(list, o)
		}
	}
	return list
}

func (l *lease) begin() {
	l.count.Add(1)
	if l.shared {
		l.rec.Held().Add(1)
	}
}

// end takes one request off, if there is any.
func (l *lease) end() bool {
	if l.count.Add(-1) < 0 {
		l.count.Add(1)
		return false
	}
	if l.shared {
		l.rec.Held().Add(-1)
	}
	return true
}

// acquire is begin if there are fewer than limit requests in flight, over all processes that share the record.
func (l *lease) acquire(limit int64) bool {
	for _, o := range l.older {
		limit -= max(o.count.Load(), 0)
	}
	if !l.shared {
		if l.count.Add(1) <= limit {
			return true
		}
		l.count.Add(-1)
		return false
	}
	held := l.rec.Held()
	for range placeTries {
		if held.Acquire(limit) {
			l.count.Add(1)
			return true
		}
		if held.Load() >= limit {
			return false
		}
	}
	return false
}

// placeTries is how often a place is asked for that seems to be free: of several who ask at once all may be refused.
const placeTries = 4

// Begin counts a request to the backend as in flight, from the choice on; End ends it. With max_requests_per_backend Pick has
// done so already.
func (b *Backend) Begin() {
	if b.owner.places == 0 {
		b.begin()
	}
}

func (b *Backend) begin() {
	for {
		l := b.current()
		l.begin()
		if b.lease.Load() == l || !l.end() { // in the latter case another request that ended took this for its own
			return
		}
	}
}

// End takes one request off the count.
func (b *Backend) End() {
	b.end()
	if b.owner.places > 0 {
		b.owner.changed.signal()
	}
}

// end finds a count to take off: the backend's lease may change meanwhile, and with it where the counts are. The bound is for an End too many.
func (b *Backend) end() {
	for range endTries {
		l := b.lease.Load()
		for _, o := range l.older {
			if o.count.Load() > 0 && o.end() {
				return
			}
		}
		if l.end() {
			return
		}
	}
}

const endTries = 1000

// InFlight returns the number of requests in flight in this worker.
func (b *Backend) InFlight() int64 {
	l := b.lease.Load()
	n := l.count.Load()
	for _, o := range l.older {
		n += o.count.Load()
	}
	return n
}

// inFlightOverAll is InFlight over all workers where they share the record.
func (b *Backend) inFlightOverAll() int64 {
	l := b.current()
	if !l.shared {
		return b.InFlight()
	}
	n := l.rec.Held().Load()
	for _, o := range l.older {
		n += o.count.Load()
	}
	return n
}
