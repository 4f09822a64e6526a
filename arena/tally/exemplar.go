package tally

import (
	"time"

	"pingap/arena"
)

// exemplarWords are the words of an exemplar: a sum over the others, the two halves of the trace, the value, and when it was, in ms of Unix time.
const exemplarWords = 5

// Exemplar is a request that a histogram counted, by its trace.
type Exemplar struct {
	Trace [2]uint64
	Value int64 // in what is counted
	At    time.Time
}

// sum tells words that were written together from those of several writers. It is never that of words that nobody has written.
func (e *Exemplar) sum() int64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio: each step moves all bits
	h := uint64(odd)
	for _, w := range [...]uint64{e.Trace[0], e.Trace[1], uint64(e.Value), uint64(e.At.UnixMilli())} {
		h = (h ^ w) * odd
		h ^= h >> 29
	}
	return int64(h)
}

// Exemplify leaves a request as the exemplar of a Histogram that has some, in place of the one before. Goroutines that do so at once may spoil
// each other's, which the reader sees.
func (b *Block) Exemplify(id ID, e Exemplar) {
	f := &table[id]
	if b == nil || f.ExemplarAt == 0 {
		return
	}
	for i, w := range [exemplarWords]int64{e.sum(), int64(e.Trace[0]), int64(e.Trace[1]), e.Value, e.At.UnixMilli()} {
		b.words.Put(f.ExemplarAt+i, w)
	}
}

// ReadExemplar returns the newest exemplar of a key's histogram over all processes; false if there is none, or those that there are were being
// written.
func ReadExemplar(a *arena.Arena, k Key, id ID) (newest Exemplar, ok bool) {
	f := &table[id]
	if f.ExemplarAt == 0 {
		return newest, false
	}
	var room [room]byte
	a.ReadColumns(k.append(room[:0]), f.ExemplarAt, exemplarWords, func(words []int64) {
		e := Exemplar{Trace: [2]uint64{uint64(words[1]), uint64(words[2])}, Value: words[3], At: time.UnixMilli(words[4])}
		if words[0] == e.sum() && e.Value >= 0 && (!ok || e.At.After(newest.At)) {
			newest, ok = e, true
		}
	})
	return newest, ok
}
