package endpoints

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/config"
	"pingap/control/discovery"
	"pingap/control/health"
	"pingap/ipc"
)

// Bounds of what is done here.
const (
	coalesce   = 20 * time.Millisecond // changes within it are told together
	tellPause  = time.Second           // before what could not be told is told again
	sweepTime  = 5 * time.Second       // between two looks for what has had its time
	linger     = time.Minute           // a backend is known after it has left all lists, and its record its own
	wishTime   = 24 * time.Hour        // a wish is known after its backend has left all lists
	StageTime  = time.Second           // for what a proposal brings to be found and checked
	growPause  = time.Minute           // after the arena could not grow
	maxNamed   = 20                    // that an error or a line of the log lists
	growFrom   = 8                     // the arena is to grow when less than this part of its records is free
	minRecords = 1024                  // that it grows by
)

// Finder finds out where the backends of an upstream are. Run returns when ctx ends, or when nothing can change any more.
type Finder interface {
	Run(ctx context.Context, u *config.Upstream, report func(discovery.Update))
}

// Checker checks backends: those of an upstream, in place of those that it had before. Results come to Checked.
type Checker interface {
	Set(upstream string, targets []health.Target)
	// Again has those checked at once that have failed and never passed.
	Again(upstream string)
}

// Publisher brings items to all workers.
type Publisher interface {
	// Publish returns when all workers that accept have the items, or an error: then it is asked again.
	Publish(ctx context.Context, items []ipc.StateItem) error
	// Grow makes that many more records.
	Grow(ctx context.Context, records int) error
}

// Options of New.
type Options struct {
	Finder    Finder
	Checker   Checker
	Publisher Publisher
	Arena     *arena.Arena // records of backends are taken from it; nil for none
	Log       *zap.Logger
	Now       func() time.Time // nil is time.Now
	// Turned is told when a check changes what is known of a backend, and UpDown when the last backend of an upstream has become unhealthy, or the
	// first healthy again; Problem is told what discovery meets, once while it lasts. They are called under the lock and must not wait; nil for none.
	Turned  func(upstream, address string, healthy bool)
	UpDown  func(upstream string, up bool)
	Problem func(upstream, text string)
}

// Directory knows the backends of all upstreams. Its methods may be called by any goroutine.
type Directory struct {
	opt  Options
	tend chan struct{} // pools want looking after
	tell chan struct{} // something is dirty

	mu    sync.Mutex // guards what follows, and everything that hangs on it; no callback of others runs under it but those that tell people
	pools map[string]*pool
	live  map[string]config.Sha // upstreams of the live configuration
	next  map[string]config.Sha // of the staged one; nil where none is
	stale map[string]struct{}   // names of pools to be looked after
	dirty map[item]struct{}
	rows  rows

	changed uint64 // number of the last change
	told    uint64 // all changes up to this one have been told
	waiting []waiter
}

// waiter waits until a change has been told.
type waiter struct {
	change uint64
	done   chan struct{}
}

// New returns a directory that knows nothing.
func New(opt Options) *Directory {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.fillTelling()
	return &Directory{opt: opt, tend: make(chan struct{}, 1), tell: make(chan struct{}, 1), pools: map[string]*pool{}, live: map[string]config.Sha{},
		stale: map[string]struct{}{}, dirty: map[item]struct{}{}, rows: newRows(opt.Arena, opt.Now())}
}

// Run does the work until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait() // all end with ctx
	wg.Go(func() { d.telling(ctx) })
	sweep := time.NewTicker(sweepTime)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.tend:
			d.lookAfter(ctx, &wg)
		case <-sweep.C:
			d.sweep()
		}
	}
}

// wake is a note that somebody else finds; one is enough.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// touchLocked has a pool looked after: what is searched for, and what is checked.
func (d *Directory) touchLocked(p *pool) {
	d.stale[p.name] = struct{}{}
	wake(d.tend)
}

// markLocked has an item told.
func (d *Directory) markLocked(i item) {
	d.dirty[i] = struct{}{}
	d.changed++
	wake(d.tell)
}

// lookAfter starts searches, and says what is to be checked.
func (d *Directory) lookAfter(ctx context.Context, wg *sync.WaitGroup) {
	d.mu.Lock()
	stale := d.stale
	d.stale = map[string]struct{}{}
	checks := map[string][]health.Target{}
	for name := range stale {
		p := d.pools[name]
		if p == nil {
			checks[name] = nil
			continue
		}
		for _, f := range p.forms {
			d.searchLocked(ctx, wg, f)
		}
		checks[name] = d.targetsLocked(p)
	}
	d.mu.Unlock()
	for name, targets := range checks {
		d.opt.Checker.Set(name, targets)
	}
}

// searchLocked starts the search of a form that none is under way for.
func (d *Directory) searchLocked(ctx context.Context, wg *sync.WaitGroup, f *form) {
	u := f.upstream()
	if u == nil || f.searched != nil && f.searched.UpdateFrequency == u.UpdateFrequency {
		return
	}
	if f.stop != nil {
		f.stop()
	}
	searching, stop := context.WithCancel(ctx)
	f.searched, f.stop, f.complete = u, stop, false
	wg.Go(func() { // ends with ctx, or when the form is dropped
		d.opt.Finder.Run(searching, u, func(found discovery.Update) { d.found(searching, f, found) })
	})
}

// targetsLocked lists what is to be checked of a pool. Where two forms list an address, the live one says how.
func (d *Directory) targetsLocked(p *pool) []health.Target {
	var targets []health.Target
	seen := map[*backend]bool{}
	for _, live := range []bool{true, false} {
		for _, f := range p.forms {
			u := f.upstream()
			if u == nil || (f.live != nil) != live {
				continue
			}
			check := d.checkLocked(f, u)
			for _, e := range f.list {
				if check == nil || seen[e.backend] {
					continue
				}
				seen[e.backend] = true
				targets = append(targets, health.Target{Key: e.text, Address: e.address, Check: check, Known: e.knownHealth()})
			}
		}
	}
	return targets
}

// checkLocked is how the backends of a form are checked; nil for not at all.
func (d *Directory) checkLocked(f *form, u *config.Upstream) *health.Compiled {
	if f.compiled == u {
		return f.check
	}
	check, err := health.Compile(u)
	if err != nil {
		d.opt.Log.Error("backends are not checked", zap.String("upstream", u.Name), zap.Error(err))
	}
	f.compiled, f.check = u, check
	if check == nil {
		f.judgeLocked()
	}
	return check
}

// sweep forgets what has had its time.
func (d *Directory) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.opt.Now()
	d.rows.sweep(now)
	for name, p := range d.pools {
		d.sweepPoolLocked(p, now)
		if len(p.forms)+len(p.backends)+len(p.wishes) == 0 {
			d.rows.release(p.record)
			delete(d.pools, name)
		}
	}
}

func (d *Directory) sweepPoolLocked(p *pool, now time.Time) {
	for text, b := range p.backends {
		if b.uses == 0 && now.Sub(b.left) >= linger {
			d.rows.release(b.record)
			delete(p.backends, text)
		}
	}
	for text, w := range p.wishes {
		if !w.Absent.IsZero() && now.Sub(w.Absent) >= wishTime {
			delete(p.wishes, text)
			d.markLocked(p.wishItem())
			d.opt.Log.Info("what was wanted of a backend that has gone is forgotten", zap.String("upstream", p.name), zap.String("address", text),
				zap.String("admin", AdminText(w.Admin)))
		}
	}
}
