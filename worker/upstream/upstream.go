package upstream

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/message"
	"pingap/worker/proxyproto"
	"pingap/worker/secure"
)

// defaultPool is the number of idle connections where neither upstream nor options give one.
const defaultPool = 128

// Options of an upstream. The zero value works.
type Options struct {
	// Logger gets warnings and changes of the set of backends; nil is none.
	Logger *zap.Logger
	// KeepalivePool is the number of idle connections kept where the configuration of the upstream
	// gives none; 0 is 128.
	KeepalivePool int
	// Now is the clock in ns; nil is message.Now.
	Now func() int64
	// Lookups bounds the names that all upstreams sharing it resolve at once: its capacity. nil is
	// a bound of 4 for this upstream.
	Lookups chan struct{}
	// AllowSelf lets a transparent upstream connect to this machine and to link-local addresses.
	AllowSelf bool
	// Buffers are the pools of TLS connections; nil gives the upstream its own.
	Buffers *secure.Buffers
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

	logger       *zap.Logger
	now          func() int64
	resolver     *net.Resolver
	dialer       *net.Dialer
	tls          *security // nil without TLS
	protocols    protocols
	proxyVersion proxyproto.Version // of the PROXY protocol, 0 for none
	closed       atomic.Bool
	transparent  *transparent     // nil for any other discovery
	backends     []config.Backend // as configured, names and addresses
	balance      balance
	pool         pool
	open         atomic.Int64 // connections, idle and in use
	turn         atomic.Uint64
	set          atomic.Pointer[set]
	names        *names  // nil where nothing needs resolving
	swept        []*Conn // memory of Sweep, which one goroutine calls

	mu    sync.Mutex // guards known and the building of sets
	known map[string]*Backend
}

// New builds an upstream. It does not wait for names: see WaitReady. Close ends what it starts.
func New(cfg *config.Upstream, opt Options) (*Upstream, error) {
	return newUpstream(cfg, opt, nil)
}

// newUpstream is New with the look-up of names; nil is the resolver that cfg asks for.
func newUpstream(cfg *config.Upstream, opt Options, lookup lookupFunc) (*Upstream, error) {
	u := &Upstream{
		Name: cfg.Name, Config: cfg, logger: opt.Logger, now: opt.Now,
		ReadTimeout: cfg.ReadTimeout.Std(), WriteTimeout: cfg.WriteTimeout.Std(),
		IdleTimeout: cfg.IdleTimeout.Std(),
		balance:     parseAlgo(cfg.Algo),
		known:       map[string]*Backend{},
	}
	if u.logger == nil {
		u.logger = zap.NewNop()
	}
	if u.now == nil {
		u.now = message.Now
	}
	u.pool.max = poolSize(cfg, opt)
	resolver, err := newResolver(cfg)
	if err != nil {
		return nil, err
	}
	u.resolver = resolver
	if u.tls, err = newSecurity(cfg, opt.Buffers); err != nil {
		return nil, err
	}
	u.protocols = parseALPN(cfg.ALPN)
	u.proxyVersion = proxyVersion(cfg.ProxyProtocol)
	u.dialer = u.newDialer(cfg)
	u.set.Store(&set{})
	if lookup == nil {
		lookup = resolver.LookupNetIP
	}
	u.discover(opt, lookup)
	return u, nil
}

func poolSize(cfg *config.Upstream, opt Options) int {
	switch {
	case cfg.MaxIdleConnections > 0:
		return cfg.MaxIdleConnections
	case opt.KeepalivePool > 0:
		return opt.KeepalivePool
	}
	return defaultPool
}

// Pick chooses a backend for a request, none of those tried before; nil if there is none. It does
// not allocate.
func (u *Upstream) Pick(rec *message.Record, tried []*Backend) *Backend {
	if u.transparent != nil {
		return u.transparent.pick(rec, tried)
	}
	return u.set.Load().pick(&u.balance, &u.turn, rec, tried)
}

// WaitReady waits until every name was looked up once, whatever came of it, or ctx ends.
func (u *Upstream) WaitReady(ctx context.Context) {
	if u.names == nil {
		return
	}
	select {
	case <-u.names.ready:
	case <-ctx.Done():
	}
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

// OpenConnections returns the number of connections of this worker, idle and in use.
func (u *Upstream) OpenConnections() int64 { return u.open.Load() }

// IdleConnections returns the number of connections in the pool.
func (u *Upstream) IdleConnections() int {
	u.pool.mu.Lock()
	defer u.pool.mu.Unlock()
	return u.pool.count
}

// Close ends the resolving of names and closes idle connections; those in use are closed when they
// are put back or released. A request that still holds the upstream may go on.
func (u *Upstream) Close() {
	u.closed.Store(true)
	if u.names != nil {
		u.names.stop()
	}
	discardAll(u.pool.drain())
	u.closeShared()
}
