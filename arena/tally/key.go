package tally

import "pingap/arena"

// Key names a block.
type Key struct {
	Kind   Kind
	Server string
	Name   string // of the location or the upstream
}

// room is for the name of a block, so that reading one need not allocate. Longer names do.
const room = 256

// append makes the key's name in the arena. The byte between is in no name that a configuration may have.
func (k Key) append(dst []byte) []byte {
	dst = append(dst, "totals/"...)
	dst = append(dst, '0'+byte(k.Kind), 0)
	dst = append(dst, k.Server...)
	dst = append(dst, 0)
	return append(dst, k.Name...)
}

// Block is where this process counts for a key. A nil one counts nothing. It may be used by many goroutines, and never allocates or locks.
type Block struct{ words *arena.Total }

// Open returns the block of a key, claimed if it was not there. It is for building a site, not for requests.
func Open(a *arena.Arena, k Key) (*Block, error) {
	var b [room]byte
	t, err := a.Total(k.append(b[:0]))
	if err != nil {
		return nil, err
	}
	return &Block{t}, nil
}

// Read returns the totals of a key, by word, over all processes, those that have ended included; false if nobody has counted anything for it
// yet. With room for arena.TotalWords in dst it allocates nothing, and uses dst.
func Read(a *arena.Arena, k Key, dst []int64) ([]int64, bool) {
	var b [room]byte
	return a.ReadTotal(k.append(b[:0]), dst)
}

// Add adds to the word of a Counter.
func (b *Block) Add(id ID, n int64) {
	if b != nil {
		b.words.Add(table[id].At, n)
	}
}

// Count adds one to the word of a value of Codes; the last one takes what is beyond.
func (b *Block) Count(id ID, value int) { b.CountMany(id, value, 1) }

// CountMany is Count for n at once.
func (b *Block) CountMany(id ID, value int, n int64) {
	if b != nil {
		f := &table[id]
		b.words.Add(f.At+min(max(value, 0), f.Words()-1), n)
	}
}

// Observe puts a value into a Histogram, in what is counted: nanoseconds, bytes, tenths. Negative ones did not happen (message.Unset).
func (b *Block) Observe(id ID, v int64) {
	if b == nil || v < 0 {
		return
	}
	f := &table[id]
	i := 0
	for i < len(f.limits) && v > f.limits[i] {
		i++
	}
	b.words.Add(f.At+i, 1)
	b.words.Add(f.sumAt(), v)
	if f.Native {
		b.words.Add(f.NativeAt+nativeWord(v), 1)
	}
}
