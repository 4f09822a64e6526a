package discovery

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/discovery/internal/dns"
)

const (
	// A name that failed is looked up again after minRetry, then twice as long each time up to maxRetry.
	minRetry = time.Second
	maxRetry = 30 * time.Second
	// atOnce is how many targets of one service are looked up at once, and targetTime bounds it for all.
	atOnce     = 8
	targetTime = 30 * time.Second
	// maxFound bounds what one look-up finds. More than an upstream may have are sorted before they are cut, so that it is the same ones each time.
	maxFound = 8 * maxEndpoints
)

// errUnreachable is for names whose addresses lead nowhere, as 0.0.0.0 does.
var errUnreachable = errors.New("the name has only addresses that no backend can have")

// watcher looks up the name of one entry, again and again.
type watcher struct {
	pool     *pool
	entry    int
	model    Endpoint // of the entry, with the name in place of the address
	names    lookups
	settings dns.Settings
	service  bool          // SRV
	once     bool          // until it resolves
	most     time.Duration // between two look-ups; 0: as the answers say
	log      *zap.Logger

	memory memory
}

// finding is what one look-up found.
type finding struct {
	name   string // that answered
	list   []found
	failed []dns.Origin
	until  time.Time
}

func (w *watcher) run(ctx context.Context) {
	retry := minRetry
	for {
		f, err := w.find(ctx)
		if ctx.Err() != nil {
			return
		}
		var wait time.Duration
		if err == nil {
			retry, wait = minRetry, w.learn(f)
			if w.once {
				return
			}
		} else {
			w.miss(err)
			wait, retry = retry+rand.N(retry/5), min(2*retry, maxRetry)
		}
		if !w.rest(ctx, time.Now().Add(wait)) {
			return
		}
	}
}

// learn takes in what was found, and returns when to look again: up to a tenth after the answer's end, so that not all come at once.
func (w *watcher) learn(f finding) time.Duration {
	now := time.Now()
	w.settings.Stick = f.name
	ttl := max(f.until.Sub(now), 0)
	w.memory.answer(now, f.list, f.failed, ttl)
	w.memory.expire(now)
	w.pool.set(w.entry, w.memory.list())
	wait := min(max(ttl, time.Second), maxRefresh)
	wait += rand.N(wait/10 + 1)
	if w.most > 0 {
		wait = min(wait, w.most-rand.N(w.most/10))
	}
	return wait
}

// miss keeps what is known, unless the name is gone and that is certain.
func (w *watcher) miss(err error) {
	w.log.Debug("look-up of a backend failed", zap.Error(err))
	w.pool.fail(w.entry, w.model.From+": "+err.Error())
	if errors.Is(err, dns.ErrGone) && w.memory.gone(time.Now()) && w.pool.drop(w.entry) {
		w.memory.known = nil
	}
}

// rest waits until a time, and takes away what leaves meanwhile.
func (w *watcher) rest(ctx context.Context, until time.Time) bool {
	for {
		next := w.memory.next()
		if next.IsZero() || next.After(until) {
			return sleep(ctx, time.Until(until))
		}
		if !sleep(ctx, time.Until(next)) {
			return false
		}
		if w.memory.expire(time.Now()) {
			w.pool.shrink(w.entry, w.memory.list())
		}
	}
}

func (w *watcher) find(ctx context.Context) (finding, error) {
	if w.service {
		return w.findService(ctx)
	}
	a, err := w.names.Addresses(ctx, w.settings, w.model.Address.Host)
	if err != nil {
		return finding{}, err
	}
	f := finding{name: a.Name, failed: a.Failed, until: a.Until}
	f.add(a.Addrs, w.model)
	if len(f.list) == 0 {
		return finding{}, errUnreachable
	}
	return f, nil
}

// add makes backends of addresses, all of them like model.
func (f *finding) add(addrs []dns.Address, model Endpoint) {
	for _, a := range addrs {
		if !config.Reachable(a.IP) || len(f.list) == maxFound {
			continue
		}
		e := model
		e.Address = config.Address{Network: "tcp", Host: a.IP.String(), Port: model.Address.Port}
		f.list = append(f.list, found{e, a.Origin})
	}
}

// findService looks up a service and its targets. The lowest priority is used, the others are backups.
func (w *watcher) findService(ctx context.Context) (finding, error) {
	a, err := w.names.Services(ctx, w.settings, w.model.Address.Host)
	if err != nil {
		return finding{}, err
	}
	f := finding{name: a.Name, until: a.Until}
	targets := w.targets(ctx, a.Services)
	var failed error
	for _, s := range a.Services {
		t := targets[s.Target]
		f.failed = append(f.failed, t.answer.Failed...)
		switch {
		case t.err == nil:
			if t.answer.Until.Before(f.until) {
				f.until = t.answer.Until
			}
		case !errors.Is(t.err, dns.ErrGone):
			f.failed = append(f.failed, dns.Origin{Name: s.Target}, dns.Origin{Name: s.Target, IPv6: true})
			failed = t.err
		}
		if s.Port == 0 {
			continue
		}
		model := w.model
		model.Address.Port, model.Weight = s.Port, max(s.Weight, 1)
		model.Backup = model.Backup || s.Priority > a.Services[0].Priority
		f.add(t.answer.Addrs, model)
	}
	switch {
	case len(f.list) > 0:
		return f, nil
	case failed != nil:
		return finding{}, failed
	}
	return finding{}, dns.ErrEmpty
}

// target is where a target of a service is.
type target struct {
	answer dns.Answer
	err    error
}

// targets looks up the names that services are at, each once. They are absolute.
func (w *watcher) targets(ctx context.Context, services []dns.Service) map[string]*target {
	ctx, cancel := context.WithTimeout(ctx, targetTime)
	defer cancel()
	settings := w.settings
	settings.Stick = ""
	all := map[string]*target{}
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, s := range services {
		if all[s.Target] != nil {
			continue
		}
		t := &target{}
		all[s.Target] = t
		slots <- struct{}{}
		wait.Go(func() { // ends with the look-up, which is bounded
			defer func() { <-slots }()
			t.answer, t.err = w.names.Addresses(ctx, settings, s.Target)
		})
	}
	wait.Wait()
	return all
}
