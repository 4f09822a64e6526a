package endpoints

import (
	"context"
	"time"

	"pingap/config"
	"pingap/control/health"
	"pingap/ipc"
)

// pool is what is known of the upstreams of one name.
type pool struct {
	name     string
	forms    map[string]*form    // by source
	backends map[string]*backend // by address
	wishes   map[string]*ipc.Wish
	record   ipc.RecordRef
	// settled: its backends have been seen once, so who comes from now on is new beside others.
	settled bool
	down    bool // all that it has are unhealthy
}

// form is one way to say where the backends of a pool are.
type form struct {
	pool         *pool
	source       string
	live, staged *config.Upstream // that say so; at least one, but for a form that was read back and nobody has asked for yet

	held     bool          // it is not published before everything staged is,
	adopted  bool          // or, of one that workers may know already, before each entry was tried
	resumed  bool          // it was read back
	ready    chan struct{} // closed when each entry was tried and each backend checked once
	isReady  bool
	list     []entry
	tried    bool // each entry was looked up once
	listed   bool // it had a list before
	complete bool // each entry has had an answer
	problems []string

	searched *config.Upstream // what the search is for; nil for none yet
	stop     context.CancelFunc
	compiled *config.Upstream // what check is for
	check    *health.Compiled
}

// entry is a backend as one form lists it.
type entry struct {
	*backend
	weight int
	spare  bool
	from   string
}

// backend is an address of a pool.
type backend struct {
	address config.Address
	text    string // the address for people and maps
	uses    int    // forms that list it
	left    time.Time

	health  ipc.Health
	reason  string
	checked time.Time // when health became so; zero before a check has said so
	known   bool      // a check has had a result
	first   bool      // it was there when the pool was seen first
	since   time.Time // as in ipc.Endpoint
	record  ipc.RecordRef
}

// knownHealth is what the checker need not find out.
func (b *backend) knownHealth() health.Known {
	switch {
	case !b.known:
		return health.Unknown
	case b.health == ipc.Healthy:
		return health.KnownHealthy
	}
	return health.KnownUnhealthy
}

// upstream is the configuration that counts for a form: the live one, unless there is none.
func (f *form) upstream() *config.Upstream {
	if f.live != nil {
		return f.live
	}
	return f.staged
}

// judgeLocked finds out whether everything has been tried once.
func (f *form) judgeLocked() {
	if f.isReady || !f.tried {
		return
	}
	unchecked := f.compiled != nil && f.check == nil // nobody will check them
	for _, e := range f.list {
		if !e.known && !unchecked {
			return
		}
	}
	f.isReady = true
	close(f.ready)
}

// poolLocked returns a pool, a new one where there is none.
func (d *Directory) poolLocked(name string) *pool {
	p := d.pools[name]
	if p == nil {
		p = &pool{name: name, forms: map[string]*form{}, backends: map[string]*backend{}, wishes: map[string]*ipc.Wish{}}
		d.pools[name] = p
	}
	return p
}

// formLocked returns a form of a pool, a new one where there is none.
func (d *Directory) formLocked(p *pool, source string) *form {
	f := p.forms[source]
	if f == nil {
		f = &form{pool: p, source: source, ready: make(chan struct{})}
		p.forms[source] = f
	}
	return f
}

// dropLocked forgets a form: workers are to forget it as well.
func (d *Directory) dropLocked(f *form) {
	if f.stop != nil {
		f.stop()
	}
	for _, e := range f.list {
		d.unuseLocked(f.pool, e.backend)
	}
	delete(f.pool.forms, f.source)
	if !f.held {
		d.markLocked(f.item())
	}
	d.touchLocked(f.pool)
}

// useLocked returns the backend of an address for one more form that lists it.
func (d *Directory) useLocked(f *form, address config.Address) *backend {
	p, text := f.pool, Text(address)
	b := p.backends[text]
	if b == nil {
		b = &backend{address: address, text: text, first: !p.settled, health: initialHealth(f.upstream())}
		p.backends[text] = b
	}
	if b.uses == 0 && p.settled {
		b.since = d.opt.Now()
	}
	b.uses++
	if w := p.wishes[text]; w != nil && !w.Absent.IsZero() {
		w.Absent = time.Time{}
		d.markLocked(p.wishItem())
	}
	return b
}

func (d *Directory) unuseLocked(p *pool, b *backend) {
	if b.uses--; b.uses > 0 {
		return
	}
	b.left = d.opt.Now()
	if w := p.wishes[b.text]; w != nil {
		w.Absent = b.left
		d.markLocked(p.wishItem())
	}
}

// initialHealth is what a backend is before its first check has a result.
func initialHealth(u *config.Upstream) ipc.Health {
	if u == nil || u.HealthInitial == "" || u.HealthInitial == "healthy" {
		return ipc.Healthy
	}
	return ipc.Unchecked
}

// Text is an address as people write it.
func Text(a config.Address) string {
	if a.Network == "unix" {
		return "unix:" + a.Path
	}
	return a.String()
}
