package arena

import (
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
)

// block is the share of a column in a total.
type block [TotalWords]int64

// Total is where this process adds to the totals of a name. All methods are safe for many goroutines and allocate nothing.
type Total struct {
	own  *block // this process's words
	mask *uint64
	bit  uint64
	told atomic.Bool // the mask has the bit, so the column is read
}

// Total returns the totals of this name, the same ones in every process and for the arena's whole life. Meant for building a site: it may probe
// many rows, and touches none of the words.
func (a *Arena) Total(name []byte) (*Total, error) {
	if a.column == ReadOnly {
		return nil, fmt.Errorf("%w: %q", ErrReadOnly, name)
	}
	p, row := a.findTotal(idOf(name), true)
	if row < 0 {
		return nil, fmt.Errorf("%w for %q in %d parts", ErrFull, name, len(a.parts()))
	}
	return &Total{own: &p.summed[a.column][row], mask: &p.blocks[row*2+1], bit: 1 << a.column}, nil
}

// findTotal looks for a row as Counter does.
func (a *Arena) findTotal(id uint64, claim bool) (*part, int) {
	for _, p := range a.parts() {
		if row := find(p.blocks, 2, id, claim); row >= 0 {
			return p, row
		}
	}
	return nil, -1
}

// Add adds to a word, which is to be less than TotalWords. What is less than 0 is not added: sums never go back.
func (t *Total) Add(word int, n int64) {
	if n < 0 {
		return
	}
	if !t.told.Load() {
		t.tell()
	}
	atomic.AddInt64(&t.own[word], n)
}

// Put sets a word of this process, which is no sum: ReadColumns reads it.
func (t *Total) Put(word int, v int64) {
	if !t.told.Load() {
		t.tell()
	}
	atomic.StoreInt64(&t.own[word], v)
}

// maxRead is how many words ReadColumns reads at most.
const maxRead = 8

// ReadColumns calls f with n words, from one on, of each column that has something for that name. The words are read one after the other, and
// are f's until it returns.
func (a *Arena) ReadColumns(name []byte, from, n int, f func(words []int64)) {
	p, row := a.findTotal(idOf(name), false)
	if row < 0 {
		return
	}
	var room [maxRead]int64
	words := room[:n]
	for mask := atomic.LoadUint64(&p.blocks[row*2+1]) & (1<<p.columns - 1); mask != 0; mask &= mask - 1 {
		column := &p.summed[bits.TrailingZeros64(mask)][row]
		for i := range words {
			words[i] = atomic.LoadInt64(&column[from+i])
		}
		f(words)
	}
}

// tell has the column read from now on. Reading one that nobody wrote would give it pages, for each name and each column.
func (t *Total) tell() {
	atomic.OrUint64(t.mask, t.bit)
	t.told.Store(true)
}

// ReadTotal returns the sums over all columns, TotalWords of them, in the memory of dst if that is enough; false if nobody has added anything for that name. It
// allocates nothing then. Words are read one after the other: of what is being added some may be seen and some not.
// A negative word can only be rubbish and counts as zero; sums saturate.
func (a *Arena) ReadTotal(name []byte, dst []int64) ([]int64, bool) {
	p, row := a.findTotal(idOf(name), false)
	if row < 0 {
		return dst[:0], false
	}
	mask := atomic.LoadUint64(&p.blocks[row*2+1]) & (1<<p.columns - 1)
	if mask == 0 {
		return dst[:0], false
	}
	if cap(dst) < TotalWords {
		dst = make([]int64, TotalWords)
	}
	dst = dst[:TotalWords]
	clear(dst)
	for ; mask != 0; mask &= mask - 1 {
		words := &p.summed[bits.TrailingZeros64(mask)][row]
		for i := range words {
			v := max(atomic.LoadInt64(&words[i]), 0)
			if dst[i] > math.MaxInt64-v {
				v = math.MaxInt64 - dst[i]
			}
			dst[i] += v
		}
	}
	return dst, true
}

// FreeTotals is how many names more of totals find room for certain, as FreeCounters is.
func (a *Arena) FreeTotals() int {
	free := 0
	for _, p := range a.parts() {
		free += p.free(&p.totals)
	}
	return free
}
