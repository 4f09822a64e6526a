package arena

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"
)

// Counter is one figure over all processes. All methods are safe for many goroutines and allocate nothing.
type Counter struct {
	own   *int64    // this process's cell; nil where it only reads
	cells [][]int64 // by column
	row   int
}

func counterOf(cells [][]int64, row, column int) Counter {
	c := Counter{cells: cells, row: row}
	if column != ReadOnly {
		c.own = &cells[column][row]
	}
	return c
}

// Acquire adds one if the sum over all processes stays at most limit, and reports whether it did. It is never above
// the limit; of several that race for the last place, all may be refused. A process that only reads is refused.
//
// Why it holds: whoever adds last reads every column after all other holders have added, so sees them all.
func (c *Counter) Acquire(limit int64) bool {
	if c.own == nil {
		return false
	}
	atomic.AddInt64(c.own, 1)
	if c.Load() <= limit {
		return true
	}
	atomic.AddInt64(c.own, -1)
	return false
}

// Release gives back what one Acquire took.
func (c *Counter) Release() { c.Add(-1) }

// Add changes this process's share without a limit, for figures such as requests in flight to a backend.
func (c *Counter) Add(delta int64) {
	if c.own != nil {
		atomic.AddInt64(c.own, delta)
	}
}

// Load returns the sum over all processes. Columns are read one after the other: under way changes may be missed.
// A negative cell can only be rubbish and counts as zero; the sum saturates.
func (c *Counter) Load() int64 {
	var sum int64
	for _, cells := range c.cells {
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

// reach is how far from the row that its hash says a name is looked for. It bounds what a name costs that is in a part behind; up
// to the load that FreeCounters lets come, all names find a place.
const reach = 1024

// Counter returns the counter of this name ("location/api/processing"), the same one in every process and for
// the arena's whole life. Meant for building a site: it may probe many rows.
//
// Why it is the same one: rows are never freed, so whoever comes later finds taken what was taken, passes the same rows and parts, and
// ends at the row that was claimed.
func (a *Arena) Counter(name string) (*Counter, error) {
	id := idOf([]byte(name))
	parts := a.parts()
	for _, p := range parts {
		if row := find(p.ids, 1, id, a.column != ReadOnly); row >= 0 {
			c := counterOf(p.cells, row, a.column)
			return &c, nil
		}
	}
	if a.column == ReadOnly {
		return nil, fmt.Errorf("%w: %s", ErrReadOnly, name)
	}
	return nil, fmt.Errorf("%w for %s in %d parts", ErrFull, name, len(parts))
}

// idOf is what stands for a name.
func idOf(name []byte) uint64 {
	sum := sha256.Sum256(name)
	return max(binary.LittleEndian.Uint64(sum[:]), 1) // 0 marks a free row
}

// find returns the row of an id, -1 for none. Where it is to claim, a free one on the way is taken. The id is the first of so many words of a row.
func find(words []uint64, width int, id uint64, claim bool) int {
	rows := len(words) / width
	mask := uint64(rows - 1)
	for i := range uint64(min(rows, reach)) {
		row := int((id + i) & mask)
		at := &words[row*width]
		got := atomic.LoadUint64(at)
		if got == 0 {
			if !claim {
				return -1
			}
			if atomic.CompareAndSwapUint64(at, 0, id) {
				return row
			}
			got = atomic.LoadUint64(at) // someone was quicker, perhaps with the same name
		}
		if got == id {
			return row
		}
	}
	return -1
}

// FreeCounters is how many names more find room for certain. Only one goroutine may call it. It reads what is taken, half a
// megabyte for each part that is not full: nothing is counted in shared memory that a worker could falsify for good.
func (a *Arena) FreeCounters() int {
	free := 0
	for _, p := range a.parts() {
		free += p.free(&p.counters)
	}
	return free
}

// free is how many rows more of a segment find room for certain.
func (p *part) free(s *segment) int {
	room := s.rows
	if room > reach {
		room -= room / 8 // fuller, and some names would be too far off
	}
	if p.crowded[s.kind] {
		return 0
	}
	p.scan(s, func(_ int, data []byte) {
		for ; len(data) >= s.width(); data = data[s.width():] {
			if binary.LittleEndian.Uint64(data) != 0 {
				room--
			}
		}
	})
	p.crowded[s.kind] = room <= 0
	return max(room, 0)
}
