package upstream

import (
	"cmp"
	"fmt"
	"iter"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/arena/backend"
	"pingap/config"
	"pingap/message"
	"pingap/worker/proxyproto"
	"pingap/worker/queue"
	"pingap/worker/secure"
	"pingap/worker/upstream/outcome"
	"pingap/worker/upstream/spread"
)

// Outcome is how a request to a backend ended.
type Outcome = outcome.Outcome

// RetryRule says what may be tried again.
type RetryRule = outcome.Retry

// defaultPool is the number of idle connections where neither upstream nor options give one.
const defaultPool = 128

// Options of an upstream. The zero value works.
type Options struct {
	// Logger gets warnings and changes of the set of backends; nil is none.
	Logger *zap.Logger
	// KeepalivePool is the number of idle connections kept where the configuration of the upstream
	// gives none; 0 is 128.
	KeepalivePool int
	// Now is the clock in ns; nil is message.Now. A clock that is given is that of records too.
	Now func() int64
	// AllowSelf lets a transparent upstream connect to this machine and to link-local addresses.
	AllowSelf bool
	// Buffers are the pools of TLS connections; nil gives the upstream its own.
	Buffers *secure.Buffers
	// Open counts open connections over all workers, for the metrics; nil is none.
	Open *arena.Counter
}

// Upstream is a set of backends, with the rule to choose one and the connections to them. Its
// methods may be called from any goroutine.
type Upstream struct {
	// Name is the upstream's name in the configuration.
	Name string
	// Config is what it was built from; read-only.
	Config *config.Upstream
	// ReadTimeout is how long a backend may send nothing, WriteTimeout how long it may take
	// nothing, IdleTimeout how long an idle connection is kept; 0 is no limit.
	ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// Queue is where requests wait while no backend is available; nil where they do not.
	Queue *queue.Queue

	logger       *zap.Logger
	now          func() int64
	dialer       *net.Dialer
	tls          *security // nil without TLS
	protocols    protocols
	proxyVersion proxyproto.Version // of the PROXY protocol, 0 for none
	closed       atomic.Bool
	transparent  *transparent // nil for any other discovery
	algo         spread.Algo
	pool         pool
	open         atomic.Int64 // connections, idle and in use
	openOverAll  *arena.Counter
	turn         atomic.Uint64
	set          atomic.Pointer[set]
	swept        []*Conn // memory of Sweep, which one goroutine calls

	rules     *outcome.Rules // nil where outcomes mean nothing
	retry     *outcome.Retry
	places    int64  // requests at once to one backend, 0 for no limit
	slowStart int64  // ns, 0 for off
	simple    bool   // round robin, and nothing but the list decides
	guarded   bool   // more than the list decides whether a backend may be chosen
	sticky    string // name of the cookie
	skew      int64  // from now to the clock of records
	own       atomic.Pointer[arena.Record]
	changed   signal

	mu      sync.Mutex // guards all below and the building of sets
	known   map[config.Address]*Backend
	leaving []*Backend // not in the list any more, but with requests or connections in use
}

// New builds an upstream. Until SetEndpoints it has the backends whose addresses are in the configuration.
func New(cfg *config.Upstream, opt Options) (*Upstream, error) {
	u := &Upstream{
		Name: cfg.Name, Config: cfg, logger: opt.Logger, now: opt.Now, openOverAll: cmp.Or(opt.Open, &arena.Counter{}),
		ReadTimeout: cfg.ReadTimeout.Std(), WriteTimeout: cfg.WriteTimeout.Std(),
		IdleTimeout: cfg.IdleTimeout.Std(),
		algo:        spread.Parse(cfg.Algo),
		Queue:       queue.New(cfg.QueueSize, cfg.QueueTimeout.Std()),
	}
	if u.logger == nil {
		u.logger = zap.NewNop()
	}
	if u.now == nil {
		u.now = message.Now
		u.skew = backend.Now() - u.now() // both are CLOCK_MONOTONIC
	}
	u.pool.max = poolSize(cfg, opt)
	var err error
	if u.tls, err = newSecurity(cfg, opt.Buffers); err != nil {
		return nil, err
	}
	u.protocols = parseALPN(cfg.ALPN)
	u.proxyVersion = proxyVersion(cfg.ProxyProtocol)
	u.dialer = u.newDialer(cfg)
	if err := u.compileRules(cfg); err != nil {
		return nil, err
	}
	u.set.Store(&set{})
	u.discover(opt)
	return u, nil
}

// compileRules reads the keys that say which backends may be chosen.
func (u *Upstream) compileRules(cfg *config.Upstream) (err error) {
	u.retry = outcome.CompileRetry(cfg, u.now)
	if cfg.Discovery == "transparent" {
		return nil
	}
	u.rules = outcome.Compile(cfg)
	u.places = int64(max(cfg.MaxRequestsPerBackend, 0))
	if u.algo.Kind != spread.Hash {
		u.slowStart = int64(cfg.SlowStart.Std())
	}
	u.guarded = u.rules.Guard() || u.places > 0
	if u.sticky, err = cfg.StickyCookie(); err != nil {
		return fmt.Errorf("sticky: %w", err)
	}
	u.simple = !u.guarded && u.slowStart == 0 && u.sticky == "" && u.algo.Kind == spread.RoundRobin
	return nil
}

// hostNow is the time on the clock of records.
func (u *Upstream) hostNow() int64 { return u.now() + u.skew }

// Retries is the rule for trying again.
func (u *Upstream) Retries() *RetryRule { return u.retry }

func poolSize(cfg *config.Upstream, opt Options) int {
	switch {
	case cfg.MaxIdleConnections > 0:
		return cfg.MaxIdleConnections
	case opt.KeepalivePool > 0:
		return opt.KeepalivePool
	}
	return defaultPool
}

// Pick chooses a backend for a request, none of those tried before; nil if there is none at the moment. It does not allocate. What it
// gives has a place taken, and perhaps is a probe, as rec remembers: Begin, Done and End have to follow.
func (u *Upstream) Pick(rec *message.Record, tried []*Backend) *Backend {
	if u.transparent != nil {
		return u.transparent.pick(rec, tried)
	}
	s := u.set.Load()
	rec.UpstreamProbe = 0
	if t := &s.tiers[0]; u.simple && len(tried) == 0 && len(t.entries) > 0 {
		return t.entries[t.schedule[(u.turns().Add(1)-1)%uint64(len(t.schedule))]].backend
	}
	return u.choose(s, rec, tried)
}

// choose is Pick where there is more to it than whose turn it is.
func (u *Upstream) choose(s *set, rec *message.Record, tried []*Backend) *Backend {
	c := choice{u: u, set: s, rec: rec, tried: tried}
	return c.all()
}

// all goes through all that may be chosen from: the one that the client sticks to, the tiers, and what is left where nobody is healthy.
func (c *choice) all() *Backend {
	if c.u.sticky != "" {
		if b := c.stuck(); b != nil {
			return b
		}
	}
	for i := range c.set.tiers {
		if b := c.pick(&c.set.tiers[i]); b != nil {
			return b
		}
	}
	if c.set.open == nil || c.anyHealthy() {
		return nil
	}
	c.open = true
	return c.pick(c.set.open)
}

// Backends returns the present backends.
func (u *Upstream) Backends() []*Backend {
	if u.transparent != nil {
		return u.transparent.backends()
	}
	var out []*Backend
	for _, e := range u.set.Load().entries {
		out = append(out, e.backend)
	}
	return out
}

// records lists those of all backends in the list.
func (u *Upstream) records() iter.Seq[*arena.Record] {
	return func(yield func(*arena.Record) bool) {
		for _, e := range u.set.Load().entries {
			if !yield(e.backend.current().rec) {
				return
			}
		}
	}
}

// opened counts connections.
func (u *Upstream) opened(n int64) {
	u.open.Add(n)
	u.openOverAll.Add(n)
}

// OpenConnections returns the number of connections of this worker, idle and in use.
func (u *Upstream) OpenConnections() int64 { return u.open.Load() }

// IdleConnections returns the number of connections in the pool.
func (u *Upstream) IdleConnections() int {
	u.pool.mu.Lock()
	defer u.pool.mu.Unlock()
	return u.pool.count
}

// Close closes idle connections; those in use are closed when they
// are put back or released. A request that still holds the upstream may go on.
func (u *Upstream) Close() {
	u.closed.Store(true)
	discardAll(u.pool.drain())
	u.closeShared()
}
