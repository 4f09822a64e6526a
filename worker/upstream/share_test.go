package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
)

// places is a Mux that is nothing but places.
type places struct {
	conn *Conn

	mu     sync.Mutex
	room   int
	used   int
	sick   bool
	drains bool
	closed bool
	ticks  int
}

func (p *places) Reserve() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used >= p.room || p.sick || p.drains || p.closed {
		return false
	}
	p.used++
	return true
}

func (p *places) Healthy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.sick && !p.drains && !p.closed
}

func (p *places) Streams() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

func (p *places) CloseIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used > 0 {
		return false
	}
	p.closeLocked()
	return true
}

func (p *places) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drains = true; p.used == 0 {
		p.closeLocked()
	}
}

func (p *places) Tick(int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ticks++
}

func (p *places) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used--; p.used == 0 && p.drains {
		p.closeLocked()
	}
}

func (p *places) closeLocked() {
	p.closed = true
	p.conn.Discard()
}

// shareRig is an upstream with one backend whose connections have room for so many requests.
type shareRig struct {
	*Upstream
	t     *testing.T
	b     *Backend
	room  int
	now   atomic.Int64
	dials atomic.Int64
	to    Target
}

func newShareRig(t *testing.T, room int, cfg config.Upstream) *shareRig {
	t.Helper()
	r := &shareRig{t: t, room: room}
	r.now.Store(int64(time.Hour))
	cfg.MaxH2Streams = room
	if cfg.ALPN == "" {
		cfg.ALPN = "H2"
	}
	if len(cfg.Addrs) == 0 {
		cfg.Addrs = []string{listen(t, "tcp", "127.0.0.1:0").address()}
	}
	r.Upstream = build(t, &cfg, Options{Now: r.now.Load, KeepalivePool: 4})
	r.b = r.Backends()[0]
	return r
}

func (r *shareRig) mount(c *Conn) (Mux, error) {
	r.t.Cleanup(c.Discard)
	r.dials.Add(1)
	return &places{conn: c, room: r.room}, nil
}

func (r *shareRig) share(t *testing.T) *places {
	t.Helper()
	m, c, err := r.b.Share(context.Background(), &r.to, r.mount)
	if err != nil || c != nil {
		t.Fatal(m, c, err)
	}
	return m.(*places)
}

func (r *shareRig) release(p *places) {
	p.leave()
	r.b.Release(p)
}

func TestRequestsAtOnceShareConnectionsAndDials(t *testing.T) {
	for _, c := range []struct{ requests, room, dials int }{{20, 20, 1}, {20, 5, 4}, {20, 1, 20}, {7, 3, 3}} {
		r := newShareRig(t, c.room, config.Upstream{})
		var wait sync.WaitGroup
		got := make(chan *places, c.requests)
		for range c.requests {
			wait.Go(func() { got <- r.share(t) })
		}
		wait.Wait()
		if n := r.dials.Load(); n < int64(c.dials) || n > 2*int64(c.dials) { // more where one that comes late takes the place of one that waits
			t.Errorf("%+v: %d dials", c, n)
		}
		per := map[*places]int{}
		for range c.requests {
			per[<-got]++
		}
		for p, n := range per {
			if n > c.room || n != p.Streams() {
				t.Errorf("%+v: %d requests on a connection, %d streams", c, n, p.Streams())
			}
		}
	}
}

func TestAPlaceThatIsFreeAgainIsUsed(t *testing.T) {
	r := newShareRig(t, 1, config.Upstream{})
	p := r.share(t)
	r.release(p)
	if r.share(t) != p || r.dials.Load() != 1 {
		t.Error("a new connection was made")
	}
	p.sick = true
	if r.share(t) == p {
		t.Error("a connection that takes nothing was given")
	}
}

func TestTheFailureOfADialIsToldToAllWhoWait(t *testing.T) {
	r := newShareRig(t, 10, config.Upstream{Addrs: []string{fullBacklog(t)}, ConnectionTimeout: config.Duration(200 * time.Millisecond)})
	begin := time.Now()
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			var failure *ConnectError
			if _, _, err := r.b.Share(context.Background(), &r.to, r.mount); !errors.As(err, &failure) || failure.Kind != Timeout {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if took := time.Since(begin); took > 5*time.Second { // one after the other they would take long
		t.Errorf("it took %v", took)
	}
	refused := newShareRig(t, 10, config.Upstream{})
	bad := errors.New("no preface")
	if _, _, err := refused.b.Share(context.Background(), &refused.to, func(*Conn) (Mux, error) { return nil, bad }); !errors.Is(err, bad) {
		t.Error(err)
	}
	full := func(c *Conn) (Mux, error) { return &places{conn: c}, nil }
	if _, _, err := refused.b.Share(context.Background(), &refused.to, full); !errors.Is(err, errNoPlace) {
		t.Error(err)
	}
	if n := refused.OpenConnections(); n != 0 {
		t.Errorf("%d open", n)
	}
}

func TestARequestThatLeavesDoesNotTakeOthersDialWithIt(t *testing.T) {
	r := newShareRig(t, 10, config.Upstream{})
	ctx, cancel := context.WithCancel(context.Background())
	entered, leave := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() { // ends with its dial
		_, _, err := r.b.Share(ctx, &r.to, func(c *Conn) (Mux, error) {
			close(entered)
			<-leave
			return nil, ctx.Err()
		})
		first <- err
	}()
	<-entered
	second := make(chan *places, 1)
	go func() { second <- r.share(t) }() // ends with the second dial
	third, giveUp := context.WithCancel(context.Background())
	giveUp()
	if _, _, err := r.b.Share(third, &r.to, r.mount); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up waiting gets %v", err)
	}
	cancel()
	close(leave)
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	select {
	case p := <-second:
		if p.Streams() != 1 || r.dials.Load() != 1 {
			t.Errorf("%d streams, %d dials", p.Streams(), r.dials.Load())
		}
	case <-time.After(bound):
		t.Fatal("the second request still waits")
	}
}

func TestABackendThatWantsHTTP1IsRememberedForAWhile(t *testing.T) {
	ca := newCA(t)
	server := ca.listen(t, tlsOptions{names: []string{"a.test"}, protocols: []string{protocolHTTP1}})
	r := newShareRig(t, 10, config.Upstream{Addrs: []string{server.address()}, SNI: "a.test", ALPN: "H2H1", VerifyCert: true, CA: ca.pem})
	m, c, err := r.b.Share(context.Background(), &r.to, r.mount)
	if m != nil || c == nil || err != nil || c.H2 {
		t.Fatal(m, c, err)
	}
	ping(t, c)
	c.Discard()
	if _, _, err := r.b.Share(context.Background(), &r.to, r.mount); err != ErrHTTP1 {
		t.Error(err)
	}
	r.now.Add(recallHTTP1)
	if _, c, err := r.b.Share(context.Background(), &r.to, r.mount); c == nil || err != nil {
		t.Error(c, err)
	}
}

func TestSharedConnectionsEndWhenIdleOrSick(t *testing.T) {
	idle := time.Minute
	r := newShareRig(t, 2, config.Upstream{IdleTimeout: config.Duration(idle)})
	p := r.share(t)
	later := func(d time.Duration) { r.Sweep(r.now.Add(int64(d))) }
	later(2 * idle) // in use
	r.release(p)
	later(time.Second)
	later(idle - 2*time.Second)
	if p.closed || p.ticks != 3 {
		t.Errorf("closed %v after %d ticks", p.closed, p.ticks)
	}
	later(2 * time.Second)
	if !p.closed || r.OpenConnections() != 0 || !r.b.shared.empty() || len(r.b.shared.lanes) != 0 {
		t.Errorf("closed %v, %d open, %d lanes", p.closed, r.OpenConnections(), len(r.b.shared.lanes))
	}
	q := r.share(t)
	q.sick = true
	later(time.Second)
	if r.b.shared.empty() {
		t.Error("forgotten with a request on it, so that nobody looks after it")
	}
	q.leave()
	later(time.Second)
	if !r.b.shared.empty() || r.b.shared.count != 0 {
		t.Error("not forgotten")
	}
	q.conn.Discard()
}

func TestIdleSharedConnectionsAreBounded(t *testing.T) {
	r := newShareRig(t, 1, config.Upstream{})
	var all []*places
	for range 6 {
		all = append(all, r.share(t))
	}
	if r.OpenConnections() != 6 {
		t.Fatalf("%d open", r.OpenConnections())
	}
	for _, p := range all[:5] {
		r.release(p)
	}
	r.to = Target{key: []byte("other"), name: 5}
	r.share(t) // one more than the pool's four makes room
	if n := r.OpenConnections(); n != 6 {
		t.Errorf("%d open, want 6", n)
	}
}

func TestCloseLetsSharedConnectionsEndWithTheirRequests(t *testing.T) {
	r := newShareRig(t, 2, config.Upstream{})
	p := r.share(t)
	r.Close()
	if p.closed {
		t.Fatal("closed with a request on it")
	}
	r.release(p)
	if !p.closed {
		t.Error("still open")
	}
	late := r.share(t) // a request that still holds the upstream
	r.release(late)
	if !late.closed || r.OpenConnections() != 0 {
		t.Errorf("closed %v, %d open", late.closed, r.OpenConnections())
	}
}

// A connection for one request alone is that: no place on it is given away, and it is looked after like others.
func TestAConnectionOfItsOwnIsGivenToNobodyElse(t *testing.T) {
	r := newShareRig(t, 10, config.Upstream{})
	m, c, err := r.b.ShareAlone(context.Background(), &r.to, r.mount)
	if err != nil || c != nil {
		t.Fatal(m, c, err)
	}
	own := m.(*places)
	if other := r.share(t); other == own {
		t.Error("somebody else has a place on it")
	}
	if n := r.dials.Load(); n != 2 {
		t.Errorf("%d dials", n)
	}
	r.Sweep(r.now.Load())
	if own.ticks != 1 {
		t.Error("nobody looks after it")
	}
	own.Drain()
	r.release(own)
	if !own.closed {
		t.Error("it outlives its request")
	}
}

func TestSharedConnectionsOfABackendThatLeavesEndWithTheirRequests(t *testing.T) {
	r := newShareRig(t, 2, config.Upstream{})
	used := r.share(t)
	r.b.Begin()
	r.SetEndpoints([]Endpoint{{Address: tcp("127.0.0.1", 1), Weight: 1}}, nil)
	if used.closed || !used.drains {
		t.Fatalf("closed %v, drains %v", used.closed, used.drains)
	}
	r.Sweep(r.now.Load())
	if used.ticks != 1 || len(r.leaving) != 1 {
		t.Errorf("%d ticks, %d are leaving", used.ticks, len(r.leaving))
	}
	late := r.share(t) // it was chosen before
	r.release(late)
	r.release(used)
	r.b.End()
	r.Sweep(r.now.Load())
	if !used.closed || !late.closed || r.OpenConnections() != 0 || len(r.leaving) != 0 {
		t.Errorf("closed %v and %v, %d open, %d are leaving", used.closed, late.closed, r.OpenConnections(), len(r.leaving))
	}
}
