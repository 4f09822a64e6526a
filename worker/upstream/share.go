package upstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Mux is a connection that several requests use at once: that of worker/http2/client.
type Mux interface {
	// Reserve takes the place of one request; false is none free.
	Reserve() bool
	// Healthy reports whether there will be places again.
	Healthy() bool
	// Streams is the number of places in use.
	Streams() int
	// CloseIdle closes it if no place is in use or reserved, and reports whether it did.
	CloseIdle() bool
	// Drain lets what is in use end, and closes it then.
	Drain()
	// Tick looks after it, about once a second. now is on the clock of message.Now.
	Tick(now int64)
}

// Mounter makes the Mux of a connection that speaks HTTP/2. After an error the connection is closed.
type Mounter func(*Conn) (Mux, error)

// ErrHTTP1 is what Share returns for a backend that lately agreed on HTTP/1 only: use Take and Dial.
var ErrHTTP1 = errors.New("the backend speaks HTTP/1 only")

// errNoPlace is a new connection on which the backend allows no request.
var errNoPlace = errors.New("the backend allows no request on a new HTTP/2 connection")

// recallHTTP1 is how long a backend is taken to speak HTTP/1 only after it did.
const recallHTTP1 = int64(time.Minute)

// shared are the connections of a backend that are used by several requests at once.
//
//	Share ──► a place on one there is
//	  │
//	  ├────► joins a dial, while those who wait for it fit on what it will bring, and starts over
//	  └────► dials, and is first on what that brings
//
// So a hundred requests that come at once make as few connections as hold them. ShareAlone goes past all this.
type shared struct {
	mu    sync.Mutex // guards all below
	lanes map[string]*lane
	count int   // members of all lanes
	http1 int64 // when the backend agreed on HTTP/1, 0 for never

	closed atomic.Bool
}

// lane is what requests with one target share.
type lane struct {
	members []*member
	dials   []*joint
}

// member is a connection, with what Sweep needs.
type member struct {
	mux   Mux
	alone bool  // is for the request that made it, and no other
	used  bool  // since the last sweep
	idle  int64 // when it was last seen in use
}

// joint is a dial that others wait for.
type joint struct {
	done  chan struct{} // closed when it is over
	seats int           // for those who join
	alone bool          // nobody else gets what it brings
	err   error         // of the dial; read after done
}

// Share finds or makes a connection to the backend with a place for a request, and reserves the place.
// Release says that the request is over. Where a new connection turns out to speak HTTP/1 it is returned
// instead, for this request alone; afterwards ErrHTTP1 is returned for a while.
func (b *Backend) Share(ctx context.Context, t *Target, mount Mounter) (Mux, *Conn, error) {
	for {
		m, j, own, err := b.shared.enter(t.key, b.owner)
		if m != nil || err != nil {
			return m, nil, err
		}
		if own {
			return b.dialShared(ctx, t, mount, j)
		}
		select {
		case <-j.done:
		case <-ctx.Done():
			return nil, nil, connectError(b.Addr, ctx.Err())
		}
		if j.err != nil && !errors.Is(j.err, context.Canceled) { // that of another request may be cancelled
			return nil, nil, j.err
		}
	}
}

// ShareAlone is Share on a new connection that no other request gets: what is first on a connection is looked at, however few requests
// the backend takes on each. The caller drains it when it has opened its stream.
func (b *Backend) ShareAlone(ctx context.Context, t *Target, mount Mounter) (Mux, *Conn, error) {
	return b.dialShared(ctx, t, mount, b.shared.aside(t.key))
}

// aside returns a dial to do, for one request.
func (s *shared) aside(key []byte) *joint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.laneLocked(key).dial(&joint{alone: true})
}

// laneLocked returns the lane of a target.
func (s *shared) laneLocked(key []byte) *lane {
	l := s.lanes[string(key)]
	if l == nil {
		if s.lanes == nil {
			s.lanes = map[string]*lane{}
		}
		l = &lane{}
		s.lanes[string(key)] = l
	}
	return l
}

// dial notes a dial that begins.
func (l *lane) dial(j *joint) *joint {
	j.done = make(chan struct{})
	l.dials = append(l.dials, j)
	return j
}

// enter returns a reserved place, or a dial: one to wait for, or one to do.
func (s *shared) enter(key []byte, u *Upstream) (m Mux, j *joint, own bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http1 != 0 && u.now()-s.http1 < recallHTTP1 {
		return nil, nil, false, ErrHTTP1
	}
	l := s.laneLocked(key)
	for _, k := range l.members {
		if !k.alone && k.mux.Reserve() {
			k.used = true
			return k.mux, nil, false, nil
		}
	}
	for _, j := range l.dials {
		if j.seats > 0 {
			j.seats--
			return nil, j, false, nil
		}
	}
	return nil, l.dial(&joint{seats: max(u.Config.MaxH2Streams, 1) - 1}), true, nil
}

// dialShared does the dial j, and tells those who wait.
func (b *Backend) dialShared(ctx context.Context, t *Target, mount Mounter, j *joint) (Mux, *Conn, error) {
	var m Mux
	c, err := b.owner.dial(ctx, b, t, true)
	if err == nil && c.H2 {
		m, err = b.mount(c, mount)
	}
	b.shared.leave(string(t.key), j, m, err, b.owner)
	switch {
	case err != nil:
		return nil, nil, err
	case m != nil:
		return m, nil, nil
	}
	return nil, c, nil
}

// mount makes the Mux of a new connection, and reserves a place.
func (b *Backend) mount(c *Conn, mount Mounter) (Mux, error) {
	m, err := mount(c)
	if err != nil {
		c.Discard()
		return nil, connectError(b.Addr, err)
	}
	if !m.Reserve() {
		m.Drain()
		return nil, connectError(b.Addr, errNoPlace)
	}
	return m, nil
}

// leave ends the dial j, which made m, or a connection for HTTP/1 if both m and err are nil.
func (s *shared) leave(key string, j *joint, m Mux, err error, u *Upstream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.err = err
	close(j.done)
	l := s.lanes[key] // stays while it has a dial
	for i := range l.dials {
		if l.dials[i] == j {
			l.dials = append(l.dials[:i], l.dials[i+1:]...)
			break
		}
	}
	switch {
	case m != nil:
		if s.count >= u.pool.max {
			s.evictLocked()
		}
		l.members = append(l.members, &member{mux: m, alone: j.alone, used: true})
		s.count++
	case err == nil:
		s.http1 = max(u.now(), 1)
	}
}

// evictLocked closes one connection that is not in use, if there is one.
func (s *shared) evictLocked() {
	for _, l := range s.lanes {
		for i, m := range l.members {
			if m.mux.CloseIdle() {
				l.members = append(l.members[:i], l.members[i+1:]...)
				s.count--
				return
			}
		}
	}
}

// Release ends a request that Share gave a place, after its stream has ended.
func (b *Backend) Release(m Mux) {
	if b.owner.closed.Load() || b.shared.closed.Load() {
		m.CloseIdle()
	}
}

// sweep closes what has been idle since before limit and forgets what has ended.
func (s *shared) sweep(now, limit int64) {
	for _, m := range s.look(now) {
		m.mux.Tick(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, l := range s.lanes {
		kept := l.members[:0]
		for _, m := range l.members {
			over := !m.mux.Healthy() && m.mux.Streams() == 0
			if over || !m.used && m.idle <= limit && m.mux.CloseIdle() {
				continue
			}
			kept = append(kept, m)
		}
		s.count -= len(l.members) - len(kept)
		clear(l.members[len(kept):])
		l.members = kept
		if len(kept)+len(l.dials) == 0 {
			delete(s.lanes, key)
		}
	}
}

// look notes which members are in use, and returns all. Those are few, and what Tick does may take a
// while.
func (s *shared) look(now int64) []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*member
	for _, l := range s.lanes {
		for _, m := range l.members {
			if m.used || m.mux.Streams() > 0 {
				m.idle, m.used = now, false
			}
			all = append(all, m)
		}
	}
	return all
}

// empty reports whether there is neither a connection nor a dial.
func (s *shared) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if len(l.members)+len(l.dials) > 0 {
			return false
		}
	}
	return true
}

// close lets every connection end with the last request on it.
func (s *shared) close() {
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		for _, m := range l.members {
			m.mux.Drain()
		}
		s.count -= len(l.members)
		l.members = nil
	}
}

// retire lets every connection end with the last request on it. They are still looked after.
func (s *shared) retire() {
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		for _, m := range l.members {
			m.mux.Drain()
		}
	}
}

// sweepShared sweeps the backends, also those that are leaving.
func (u *Upstream) sweepShared(now int64) {
	for _, b := range u.all() {
		limit := now - int64(u.IdleTimeout)
		if u.IdleTimeout == 0 {
			limit = -1 << 63 // never
		}
		b.shared.sweep(now, limit)
	}
}

// closeShared lets the connections of all backends end.
func (u *Upstream) closeShared() {
	for _, b := range u.all() {
		b.shared.close()
	}
}

// all returns every backend that may have connections.
func (u *Upstream) all() []*Backend {
	if u.transparent != nil {
		return u.transparent.backends()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	all := slices.Clone(u.leaving)
	for _, b := range u.known {
		all = append(all, b)
	}
	return all
}
