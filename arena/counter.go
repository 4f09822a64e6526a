package arena

import (
	"math"
	"sync/atomic"
)

// Counter is one figure over all processes. All methods are safe for many goroutines and allocate nothing.
type Counter struct {
	arena *Arena
	row   int
}

// Acquire adds one if the sum over all processes stays at most limit, and reports whether it did. It is never above
// the limit; of several that race for the last place, all may be refused. A process that only reads is refused.
//
// Why it holds: whoever adds last reads every column after all other holders have added, so sees them all.
func (c *Counter) Acquire(limit int64) bool {
	if c.arena.column == ReadOnly {
		return false
	}
	cell := &c.arena.columns[c.arena.column][c.row]
	atomic.AddInt64(cell, 1)
	if c.Load() <= limit {
		return true
	}
	atomic.AddInt64(cell, -1)
	return false
}

// Release gives back what one Acquire took.
func (c *Counter) Release() { c.Add(-1) }

// Add changes this process's share without a limit, for figures such as requests in flight to a backend.
func (c *Counter) Add(delta int64) {
	if c.arena.column != ReadOnly {
		atomic.AddInt64(&c.arena.columns[c.arena.column][c.row], delta)
	}
}

// Load returns the sum over all processes. Columns are read one after the other: under way changes may be missed.
// A negative cell can only be rubbish and counts as zero; the sum saturates.
func (c *Counter) Load() int64 {
	var sum int64
	for _, cells := range c.arena.columns {
		v := atomic.LoadInt64(&cells[c.row])
		if v <= 0 {
			continue
		}
		if sum > math.MaxInt64-v {
			return math.MaxInt64
		}
		sum += v
	}
	return sum
}
