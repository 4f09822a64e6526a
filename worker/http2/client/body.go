package client

// body is what came of a response and has not been read: a queue of blocks. Its size is bounded by the
// stream's window.
type body struct {
	blocks []*block
	first  int // index of the first block in use
	r, w   int // the unread bytes begin at r of the first block, and end at w of the last
	size   int
}

// add copies p to the end.
func (b *body) add(p []byte, pools *Pools) {
	b.size += len(p)
	for len(p) > 0 {
		if b.first == len(b.blocks) || b.w == blockSize {
			b.grow(pools)
		}
		n := copy(b.blocks[len(b.blocks)-1][b.w:], p)
		b.w += n
		p = p[n:]
	}
}

func (b *body) grow(pools *Pools) {
	switch {
	case b.first == len(b.blocks):
		b.blocks, b.first, b.r = b.blocks[:0], 0, 0
	case b.first > 0 && len(b.blocks) == cap(b.blocks):
		b.blocks, b.first = b.blocks[:copy(b.blocks, b.blocks[b.first:])], 0
	}
	b.blocks = append(b.blocks, pools.getBlock())
	b.w = 0
}

// front returns the unread bytes of the first block.
func (b *body) front() []byte {
	if b.size == 0 {
		return nil
	}
	end := blockSize
	if b.first == len(b.blocks)-1 {
		end = b.w
	}
	return b.blocks[b.first][b.r:end]
}

// skip takes n bytes of the front out.
func (b *body) skip(n int, pools *Pools) {
	b.size -= n
	b.r += n
	if b.r == blockSize || b.size == 0 {
		pools.blocks.Put(b.blocks[b.first])
		b.blocks[b.first] = nil
		b.first++
		b.r = 0
	}
}

// read moves bytes to p.
func (b *body) read(p []byte, pools *Pools) int {
	total := 0
	for len(p) > 0 && b.size > 0 {
		n := copy(p, b.front())
		b.skip(n, pools)
		p = p[n:]
		total += n
	}
	return total
}

// drop throws everything away, and returns how many bytes that were.
func (b *body) drop(pools *Pools) int {
	n := b.size
	for b.size > 0 {
		b.skip(len(b.front()), pools)
	}
	return n
}
