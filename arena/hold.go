package arena

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// line is what a process has in a window of holds: cells of the tag of a key << countBits | how many of it are held. A cell whose count is 0 is
// free. It is as long as a line of the cache, and only its own process writes there.
type line [places]atomic.Uint64

const (
	countBits = 16
	countMask = 1<<countBits - 1
)

// Tries that one call has, against many that do the same at the same time. Who loses the first is refused.
const (
	holdTries = 16
	cellTries = 256
)

// Hold is one of those of a key that are held at a time. The zero value holds nothing.
type Hold struct {
	cell *atomic.Uint64
	tag  uint64
}

// Acquire holds one of a key if then at most limit of it are held, over all processes, and returns how many these are. It is never above the
// limit, and what a process holds is gone with it (ZeroColumn). A process that only reads is refused; a limit below 1 admits nothing.
//
// It never blocks, and costs a line of memory for each process that has used the window of the key, in each part. A process has room for
// eight keys at a time in a window. Is all of that in use, the call is admitted below the limit and holds nothing: see Unheld.
//
// Why it is exact: each process counts in cells of its own, and there may be several of one key. Who adds last reads all cells of the key
// after all other holders have added, so sees them all. The bit of a process in the window's mask is set before it adds anything there.
func (a *Arena) Acquire(key Key, limit int64) (h Hold, held int64, ok bool) {
	if a.column == ReadOnly || limit < 1 {
		return Hold{}, 0, false
	}
	parts := a.parts()
	g := newGrip(key, parts, a.column)
	for range holdTries {
		if h = g.take(parts); h.cell == nil {
			if held = g.count(parts); held >= limit {
				return h, held, false
			}
			parts[0].unheld.Add(1)
			return h, held + 1, true
		}
		if held = g.count(parts); held <= limit {
			return h, held, true
		}
		h.Release()
		// Of several that came for the last at the same moment, each may have seen the others.
		if held = g.count(parts); held >= limit {
			break
		}
	}
	return Hold{}, held, false
}

// Held returns how many of a key are held at the moment, over all processes.
func (a *Arena) Held(key Key) int64 {
	parts := a.parts()
	g := newGrip(key, parts, 0)
	return max(g.count(parts), 0)
}

// Release gives back what Acquire held. It must be called once.
func (h Hold) Release() {
	if h.cell == nil {
		return
	}
	for {
		v := h.cell.Load()
		if v>>countBits != h.tag || v&countMask == 0 {
			return // rubbish: nothing of the key is there
		}
		if h.cell.CompareAndSwap(v, v-1) {
			return
		}
	}
}

// grip is one call of Acquire.
type grip struct {
	column    int
	hash, tag uint64
}

func newGrip(key Key, parts []*part, column int) grip {
	hash, tag := key.place(parts[0].id)
	return grip{column: column, hash: hash, tag: max(tag>>(countBits-turnBits), 1)}
}

// take adds one to a cell of the key in this process's column, or makes one its. It returns nothing where there is none.
func (g *grip) take(parts []*part) Hold {
	for i, p := range parts {
		if i > 0 && p.opens > Now() {
			break // not all processes may know of it yet
		}
		row := g.hash & uint64(len(p.masks)-1)
		if bit := uint64(1) << g.column; p.masks[row].Load()&bit == 0 {
			p.masks[row].Or(bit)
		}
		if cell := p.lines[g.column][row].add(g.tag); cell != nil {
			return Hold{cell, g.tag}
		}
	}
	return Hold{}
}

// add returns the cell that it added to; nil if all are in use by other keys.
func (l *line) add(tag uint64) *atomic.Uint64 {
	for range cellTries {
		var free *atomic.Uint64
		var was uint64
		for i := range l {
			v := l[i].Load()
			n := v & countMask
			if n > 0 && n < countMask && v>>countBits == tag {
				free, was = &l[i], v
				break
			}
			if n == 0 && free == nil {
				free, was = &l[i], v
			}
		}
		if free == nil {
			return nil
		}
		if free.CompareAndSwap(was, tag<<countBits|was&countMask+1) {
			return free
		}
	}
	return nil
}

// count is how many of the key are held.
func (g *grip) count(parts []*part) (held int64) {
	for _, p := range parts {
		row := g.hash & uint64(len(p.masks)-1)
		mask := p.masks[row].Load() & (1<<len(p.lines) - 1)
		for ; mask != 0; mask &= mask - 1 {
			l := &p.lines[bits.TrailingZeros64(mask)][row]
			for i := range l {
				if v := l[i].Load(); v>>countBits == g.tag {
					held += int64(v & countMask)
				}
			}
		}
	}
	return held
}

// Holds is the number of keys that each process has room for at a time, over all parts.
func (a *Arena) Holds() int {
	n := 0
	for _, p := range a.parts() {
		n += len(p.masks) * places
	}
	return n
}

// Unheld is how many calls of Acquire were admitted and not counted, because the process had no room for the key.
func (a *Arena) Unheld() uint64 { return a.parts()[0].unheld.Load() }

// unmask takes the column of a dead process, zeroed, out of all windows: nobody looks there any more.
func (p *part) unmask(column int) {
	bit := uint64(1) << column
	p.scan(&p.holds, func(row int, data []byte) {
		for ; len(data) >= maskSize; data = data[maskSize:] {
			if binary.LittleEndian.Uint64(data)&bit != 0 {
				p.masks[row].And(^bit)
			}
			row++
		}
	})
}
