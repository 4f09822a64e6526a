package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/worker/drain"
	"pingap/worker/mirror"
	"pingap/worker/process"
	"pingap/worker/routines"
)

// Options configure a Proxy.
type Options struct {
	// Logger takes what operators should know; requests go to the access log. Required.
	Logger *zap.Logger
	// ParkAfter is how long a connection may be idle before it waits without a goroutine (process.Patience); 0 means 1.5 seconds,
	// negative never.
	ParkAfter time.Duration
	// Challenge answers a request of a CA for a path (ACME, http-01), on whatever server it comes; nil answers none.
	Challenge func(path []byte) (body []byte, ok bool)
}

// Proxy serves connections from the current site. Its methods may be called by any goroutine.
type Proxy struct {
	log   *zap.Logger
	site  atomic.Pointer[Site]
	pools buffers
	ids   atomic.Uint64
	date  atomic.Pointer[[]byte]
	// anchor is a time of day, for records.
	anchor atomic.Pointer[time.Time]

	challenge func(path []byte) ([]byte, bool)
	patience  process.Patience // of the goroutine of Run
	parking   *parking
	routines  routines.Pool
	mirror    *mirror.Sender

	mu   sync.Mutex
	list conn // guarded by mu: ring of all connections, list itself is its head
	done chan struct{}
	wake chan struct{} // a connection has ended while draining

	cutting  atomic.Bool                // Close has begun
	draining atomic.Pointer[drain.Plan] // nil for not
	retired  atomic.Pointer[retired]    // nil for none
	inside   atomic.Pointer[Inside]     // nil while control has not said where it is
	tap      atomic.Pointer[tap]        // nil while nobody watches
	ends     drain.Figures              // while draining

	connections atomic.Int64 // open
	lingering   atomic.Int64 // closed but for what the client is still sending
	parked      atomic.Int64
	tunnels     atomic.Int64
	inFlight    atomic.Int64
	refreshes   atomic.Int64  // requests in the background
	requests    atomic.Uint64 // finished
	accepted    atomic.Uint64
	panics      atomic.Uint64
	// handshakes of clients that failed since the last line in the log, and when that was.
	handshakes, handshakesTold atomic.Int64
}

// Stats are the counters of a worker.
type Stats struct {
	Connections, Parked, Tunnels, InFlight int64
	Requests, Accepted, Panics             uint64
}

// New returns a proxy without a site; SetSite must be called before Serve.
func New(o Options) (*Proxy, error) {
	if o.Challenge == nil {
		o.Challenge = func([]byte) ([]byte, bool) { return nil, false }
	}
	p := &Proxy{log: o.Logger, challenge: o.Challenge, patience: process.NewPatience(o.ParkAfter), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	p.list.before, p.list.after = &p.list, &p.list
	p.tickDate(time.Now())
	parking, err := newParking()
	if err != nil {
		return nil, err
	}
	p.parking = parking
	p.mirror = mirror.New(mirror.Options{Logger: o.Logger, Mount: p.mountH2})
	return p, nil
}

// SetSite makes a site the one that new requests use.
// Connections of servers that it has not end softly, in the times it gives.
func (p *Proxy) SetSite(s *Site) {
	p.retire(s) // before: whoever sees the new site finds what it has not
	p.site.Store(s)
}

// SetInside says where control is from now on; nil for nowhere. Requests under way keep what they began with.
func (p *Proxy) SetInside(i *Inside) { p.inside.Store(i) }

// tap is an interface that can be swapped.
type tap struct{ Logger }

// SetTap has the record of each request shown to somebody who watches, beside the log of its server; nil for nobody. Requests of servers that are
// Uncounted are not shown.
func (p *Proxy) SetTap(l Logger) {
	if l == nil {
		p.tap.Store(nil)
		return
	}
	p.tap.Store(&tap{l})
}

// Go runs a task on a goroutine that may have served before. A task that calls Serve is what it is for.
func (p *Proxy) Go(t routines.Task) { p.routines.Go(t) }

// Site returns the current site.
func (p *Proxy) Site() *Site { return p.site.Load() }

// Mirrored returns the figures of copies of requests.
func (p *Proxy) Mirrored() mirror.Stats { return p.mirror.Stats() }

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	return Stats{
		Connections: p.connections.Load(), Parked: p.parked.Load(), Tunnels: p.tunnels.Load(),
		InFlight: p.inFlight.Load(), Requests: p.requests.Load(), Accepted: p.accepted.Load(),
		Panics: p.panics.Load(),
	}
}

func (p *Proxy) add(c *conn) {
	p.link(c)
	p.connections.Add(1)
	p.accepted.Add(1)
}

// link puts a connection among those that the sweeper looks at.
func (p *Proxy) link(c *conn) {
	p.mu.Lock()
	c.after, c.before = &p.list, p.list.before
	p.list.before.after, p.list.before = c, c
	p.mu.Unlock()
}

// unlink reports whether it was there.
func (p *Proxy) unlink(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.before == nil {
		return false
	}
	c.before.after, c.after.before = c.after, c.before
	c.before, c.after = nil, nil
	return true
}

func (p *Proxy) remove(c *conn) {
	if p.unlink(c) {
		p.connections.Add(-1)
	}
	p.wakeUp()
}

// wakeUp has Drained and Close look again.
func (p *Proxy) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// lingered notes that the client of a closed connection has heard of it.
func (p *Proxy) lingered() {
	p.lingering.Add(-1)
	p.wakeUp()
}

// server returns the server of a listener, nil if it has none.
func (p *Proxy) server(index int32) *Server {
	if site := p.siteOf(index); site != nil {
		return site.Servers[index]
	}
	return nil
}

// Limits of a connection between requests come from the current site.

func (p *Proxy) keepAlive(index int32) time.Duration {
	if s := p.server(index); s != nil {
		return s.KeepAliveTimeout
	}
	return time.Second
}

func (p *Proxy) firstTimeout(index int32) time.Duration {
	if s := p.server(index); s != nil {
		return min(s.HeaderTimeout, s.KeepAliveTimeout)
	}
	return time.Second
}

func (p *Proxy) writeTimeout(index int32) time.Duration {
	if s := p.server(index); s != nil {
		return s.WriteTimeout
	}
	return time.Minute
}

func (p *Proxy) headMax(index int32) int {
	if s := p.server(index); s != nil {
		return max(s.Limits.Head, inSize)
	}
	return inSize
}
