package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/message"
)

// Options configure a Proxy.
type Options struct {
	// Logger takes what operators should know; requests go to the access log. Required.
	Logger *zap.Logger
	// ParkAfter is how long a connection may be idle before it waits without a goroutine; 0 means
	// 1.5 seconds, negative never.
	ParkAfter time.Duration
}

// Proxy serves connections from the current site. Its methods may be called by any goroutine.
type Proxy struct {
	log   *zap.Logger
	site  atomic.Pointer[Site]
	pools buffers
	ids   atomic.Uint64
	date  atomic.Pointer[[]byte]

	parkAfter time.Duration
	parking   *parking

	mu   sync.Mutex
	list conn // guarded by mu: ring of all connections, list itself is its head
	done chan struct{}
	wake chan struct{} // a connection has ended while draining

	cutting  atomic.Bool             // Close has begun
	draining atomic.Pointer[ending]  // nil for not
	retired  atomic.Pointer[retired] // nil for none

	connections atomic.Int64 // open
	parked      atomic.Int64
	tunnels     atomic.Int64
	inFlight    atomic.Int64
	requests    atomic.Uint64 // finished
	accepted    atomic.Uint64
	panics      atomic.Uint64
}

// Stats are the counters of a worker.
type Stats struct {
	Connections, Parked, Tunnels, InFlight int64
	Requests, Accepted, Panics             uint64
}

// New returns a proxy without a site; SetSite must be called before Serve.
func New(o Options) (*Proxy, error) {
	if o.ParkAfter == 0 {
		o.ParkAfter = 1500 * time.Millisecond
	}
	p := &Proxy{log: o.Logger, parkAfter: o.ParkAfter, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	p.list.before, p.list.after = &p.list, &p.list
	p.tickDate(time.Now())
	parking, err := newParking()
	if err != nil {
		return nil, err
	}
	p.parking = parking
	return p, nil
}

// SetSite makes a site the one that new requests use.
// Connections of servers that it has not end softly, in the times it gives.
func (p *Proxy) SetSite(s *Site) {
	p.retire(s) // before: whoever sees the new site finds what it has not
	p.site.Store(s)
}

// Site returns the current site.
func (p *Proxy) Site() *Site { return p.site.Load() }

// Stats returns the counters.
func (p *Proxy) Stats() Stats {
	return Stats{
		Connections: p.connections.Load(), Parked: p.parked.Load(), Tunnels: p.tunnels.Load(),
		InFlight: p.inFlight.Load(), Requests: p.requests.Load(), Accepted: p.accepted.Load(),
		Panics: p.panics.Load(),
	}
}

func (p *Proxy) add(c *conn) {
	p.mu.Lock()
	c.after, c.before = &p.list, p.list.before
	p.list.before.after, p.list.before = c, c
	p.mu.Unlock()
	p.connections.Add(1)
	p.accepted.Add(1)
}

func (p *Proxy) remove(c *conn) {
	p.mu.Lock()
	if c.before != nil {
		c.before.after, c.after.before = c.after, c.before
		c.before, c.after = nil, nil
		p.connections.Add(-1)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
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

// Drain stops keeping connections alive: answers carry "Connection: close", and connections that are
// idle for idleGrace from now on are closed. It returns when all connections have ended, or ctx's
// channel is closed; what is left then is the caller's to cut.
func (p *Proxy) Drain(idleGrace time.Duration, stop <-chan struct{}) {
	p.draining.CompareAndSwap(nil, &ending{since: message.Now(), grace: int64(idleGrace)})
	for p.connections.Load() > 0 {
		select {
		case <-p.wake:
		case <-stop:
			return
		}
	}
}

// cutPatience bounds Close, cutAgain is the pause between two rounds of interrupting.
const (
	cutPatience = time.Second
	cutAgain    = 20 * time.Millisecond
)

// Close cuts every connection, waits for their goroutines to have ended their requests, and ends the
// proxy's own. Requests in flight end as if their time were up. It takes a second at most.
func (p *Proxy) Close() {
	p.cutting.Store(true)
	p.draining.CompareAndSwap(nil, &ending{since: message.Now()})
	for end := time.Now().Add(cutPatience); p.connections.Load() > 0 && time.Now().Before(end); {
		p.cutAll()
		select {
		case <-p.wake:
		case <-time.After(cutAgain):
		}
	}
	close(p.done)
	p.parking.close()
}

// cutAll interrupts every connection, whatever it waits for.
func (p *Proxy) cutAll() {
	var parked []*conn
	p.mu.Lock()
	for c := p.list.after; c != &p.list; c = c.after {
		if c.cut() {
			parked = append(parked, c)
		}
	}
	p.mu.Unlock()
	for _, c := range parked {
		p.parking.expire(c)
	}
}

// cut interrupts a connection, and reports whether it is parked.
func (c *conn) cut() bool {
	c.wait.mu.Lock()
	defer c.wait.mu.Unlock()
	if c.wait.phase == phaseParked {
		return true
	}
	c.wait.fireLocked(causeTimeout)
	_ = c.net.SetWriteDeadline(past) // an error is a connection that is closed
	return false
}
