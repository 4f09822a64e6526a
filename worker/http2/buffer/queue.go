package buffer

import "sync"

// Size is the unit in which a queue takes memory, in bytes.
const Size = 16 << 10

// Pool has the blocks that queues share. The zero value is ready.
type Pool struct{ blocks sync.Pool }

type block [Size]byte

func (p *Pool) get() *block {
	if b, ok := p.blocks.Get().(*block); ok {
		return b
	}
	return new(block)
}

// Queue is bytes that came and were not taken yet. The zero value is empty.
type Queue struct {
	blocks []*block
	first  int // index of the first block in use
	r, w   int // the bytes begin at r of the first block, and end at w of the last
	size   int
}

// Len returns how many bytes there are.
func (q *Queue) Len() int { return q.size }

// Add copies p to the end.
func (q *Queue) Add(p []byte, pool *Pool) {
	q.size += len(p)
	for len(p) > 0 {
		if q.first == len(q.blocks) || q.w == Size {
			q.grow(pool)
		}
		n := copy(q.blocks[len(q.blocks)-1][q.w:], p)
		q.w += n
		p = p[n:]
	}
}

func (q *Queue) grow(pool *Pool) {
	switch {
	case q.first == len(q.blocks):
		q.blocks, q.first, q.r = q.blocks[:0], 0, 0
	case q.first > 0 && len(q.blocks) == cap(q.blocks):
		n := copy(q.blocks, q.blocks[q.first:])
		clear(q.blocks[n:])
		q.blocks, q.first = q.blocks[:n], 0
	}
	q.blocks = append(q.blocks, pool.get())
	q.w = 0
}

// Front returns the bytes at the front that lie in one piece: a view until they are skipped or read. Add leaves it as it is.
func (q *Queue) Front() []byte {
	if q.size == 0 {
		return nil
	}
	end := Size
	if q.first == len(q.blocks)-1 {
		end = q.w
	}
	return q.blocks[q.first][q.r:end:end]
}

// Skip takes n bytes out of Front.
func (q *Queue) Skip(n int, pool *Pool) {
	q.size -= n
	q.r += n
	if q.size == 0 || q.r == Size {
		pool.blocks.Put(q.blocks[q.first])
		q.blocks[q.first] = nil
		q.first++
		q.r = 0
	}
}

// Read moves bytes to p, and returns how many.
func (q *Queue) Read(p []byte, pool *Pool) int {
	total := 0
	for len(p) > 0 && q.size > 0 {
		n := copy(p, q.Front())
		q.Skip(n, pool)
		p = p[n:]
		total += n
	}
	return total
}

// Drop throws everything away, and returns how many bytes that were.
func (q *Queue) Drop(pool *Pool) int {
	n := q.size
	for q.size > 0 {
		q.Skip(len(q.Front()), pool)
	}
	return n
}
