package stats

import (
	"sync"
	"sync/atomic"
)

// counts are those of the locations that have an instance, by name.
type counts struct {
	all atomic.Pointer[map[string]*location]
	mu  sync.Mutex // held while all is replaced
}

// location counts the requests of one that reached the plugin.
type location struct {
	accepted   atomic.Uint64
	processing atomic.Int64
}

func newCounts() *counts {
	c := &counts{}
	c.all.Store(&map[string]*location{})
	return c
}

// of returns the counts of a location. There are as many as the configuration ever had.
func (c *counts) of(name string) *location {
	if l := (*c.all.Load())[name]; l != nil {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.all.Load()
	if l := old[name]; l != nil {
		return l
	}
	next := make(map[string]*location, len(old)+1)
	for k, v := range old {
		next[k] = v
	}
	l := &location{}
	next[name] = l
	c.all.Store(&next)
	return l
}

// begin counts a request in; End counts it out.
func (l *location) begin() {
	l.accepted.Add(1)
	l.processing.Add(1)
}

// End is told by the exchange.
func (l *location) End(bool) { l.processing.Add(-1) }
