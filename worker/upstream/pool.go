package upstream

import "sync"

// pool holds the idle connections of one upstream: a stack per backend and key of target, of which the
// newest is taken first, and one list by age over all, of which the oldest goes when there are too many.
type pool struct {
	max int

	mu             sync.Mutex // guards all below, the links of pooled Conns, and Backend.top, tops and gone
	count          int
	oldest, newest *Conn
	closed         bool
}

// take removes the newest idle connection of a backend with a key; nil if there is none.
func (p *pool) take(b *Backend, key []byte) *Conn {
	p.mu.Lock()
	c := b.top
	if len(key) > 0 {
		c = b.tops[string(key)]
	}
	if c != nil {
		p.unlinkLocked(c)
	}
	p.mu.Unlock()
	return c
}

// put adds a connection, and returns one to close: c itself where it is not wanted, or the oldest
// when there are too many. nil is none.
func (p *pool) put(c *Conn, now int64) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.Backend.gone {
		return c
	}
	c.idleSince = now
	p.linkLocked(c)
	if p.count <= p.max {
		return nil
	}
	victim := p.oldest
	p.unlinkLocked(victim)
	return victim
}

// expire removes what is idle since a time before limit, and returns it linked by newer.
func (p *pool) expire(limit int64) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	var expired *Conn
	for p.oldest != nil && p.oldest.idleSince <= limit {
		c := p.oldest
		p.unlinkLocked(c)
		c.newer, expired = expired, c
	}
	return expired
}

// drain removes everything and takes nothing any more.
func (p *pool) drain() *Conn {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return p.expire(int64(^uint64(0) >> 1))
}

// forget removes the connections of one backend and takes none of it any more.
func (p *pool) forget(b *Backend) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.gone = true
	var dropped *Conn
	drop := func(c *Conn) {
		for c != nil {
			below := c.below
			p.unlinkLocked(c)
			c.newer, dropped = dropped, c
			c = below
		}
	}
	drop(b.top)
	for _, top := range b.tops {
		drop(top)
	}
	return dropped
}

// appendAll appends every idle connection to dst. Each may be taken the moment after.
func (p *pool) appendAll(dst []*Conn) []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.oldest; c != nil; c = c.newer {
		dst = append(dst, c)
	}
	return dst
}

// removeDead removes a connection if it still is idle and its peer closed it, and reports whether
// it did. The look at it happens under mu, so that nobody takes it meanwhile.
func (p *pool) removeDead(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.pooled || c.Alive() {
		return false
	}
	p.unlinkLocked(c)
	return true
}

func (p *pool) linkLocked(c *Conn) {
	c.below, c.above = c.Backend.topLocked(c.key), nil
	if c.below != nil {
		c.below.above = c
	}
	c.Backend.setTopLocked(c.key, c)
	c.older, c.newer = p.newest, nil
	if p.newest != nil {
		p.newest.newer = c
	} else {
		p.oldest = c
	}
	p.newest = c
	p.count++
	c.pooled = true
}

func (p *pool) unlinkLocked(c *Conn) {
	if c.above != nil {
		c.above.below = c.below
	} else {
		c.Backend.setTopLocked(c.key, c.below)
	}
	if c.below != nil {
		c.below.above = c.above
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		p.newest = c.older
	}
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		p.oldest = c.newer
	}
	c.below, c.above, c.older, c.newer = nil, nil, nil, nil
	p.count--
	c.pooled = false
}

func (b *Backend) topLocked(key string) *Conn {
	if key == "" {
		return b.top
	}
	return b.tops[key]
}

func (b *Backend) setTopLocked(key string, c *Conn) {
	switch {
	case key == "":
		b.top = c
	case c == nil:
		delete(b.tops, key)
	default:
		if b.tops == nil {
			b.tops = map[string]*Conn{}
		}
		b.tops[key] = c
	}
}

// discardAll closes a chain that the pool gave up.
func discardAll(c *Conn) {
	for c != nil {
		next := c.newer
		c.newer = nil
		c.Discard()
		c = next
	}
}
