package discovery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pingap/config"
)

// together is how long changes are waited for that may come together.
const together = 200 * time.Millisecond

// pool is what is known of one upstream, by the entries of addrs. The watchers write, tell reports.
type pool struct {
	changed chan struct{} // capacity 1

	mu      sync.Mutex
	entries []entry
}

type entry struct {
	list     []Endpoint
	tried    bool
	answered bool
	failing  bool // the last look-up failed; problem says how the first one did
	problem  string
}

func newPool(n int) *pool {
	return &pool{changed: make(chan struct{}, 1), entries: make([]entry, n)}
}

// set says where the backends of an entry are.
func (p *pool) set(i int, list []Endpoint) { p.setWith(i, list, "") }

// setWith does so where something is wrong nevertheless. What is as before wakes nobody: most look-ups find nothing new.
func (p *pool) setWith(i int, list []Endpoint, problem string) {
	p.change(func() bool {
		e := &p.entries[i]
		same := e.answered && !e.failing && e.problem == problem && slices.Equal(e.list, list)
		*e = entry{list: list, tried: true, answered: true, problem: problem}
		return !same
	})
}

// fail says that an entry could not be found out about. What was known of it stays; the first problem is told until it is over.
func (p *pool) fail(i int, problem string) {
	p.change(func() bool {
		e := &p.entries[i]
		if e.failing {
			return false
		}
		if n := len(e.list); n > 0 {
			problem += fmt.Sprintf("; what is known is kept (%d)", n)
		}
		e.tried, e.failing, e.problem = true, true, problem
		return true
	})
}

// drop takes the backends of an entry away, unless no others are left.
func (p *pool) drop(i int) (dropped bool) {
	p.change(func() bool {
		dropped = slices.ContainsFunc(p.entries[:i], entry.has) || slices.ContainsFunc(p.entries[i+1:], entry.has)
		if dropped {
			p.entries[i].list, p.entries[i].answered = nil, true
		}
		return dropped
	})
	return dropped
}

func (e entry) has() bool { return len(e.list) > 0 }

// change runs fn, and wakes tell if it says that something is different.
func (p *pool) change(fn func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !fn() {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// update joins the entries: each address once, the first entry that has it counts.
func (p *pool) update() Update {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := Update{Tried: true, Complete: true}
	seen := map[config.Address]bool{}
	left := 0
	for _, e := range p.entries {
		u.Tried, u.Complete = u.Tried && e.tried, u.Complete && e.answered
		if e.problem != "" && !slices.Contains(u.Problems, e.problem) {
			u.Problems = append(u.Problems, e.problem)
		}
		for _, one := range e.list {
			switch {
			case seen[one.Address]:
			case len(u.Endpoints) == maxEndpoints:
				left++
			default:
				seen[one.Address] = true
				u.Endpoints = append(u.Endpoints, one)
			}
		}
	}
	if left > 0 {
		u.Problems = append(u.Problems, fmt.Sprintf("more than %d backends: the last ones are left out", maxEndpoints))
	}
	return u
}

// tell reports what is known now, and every change until done is closed or ctx ends. Changes are gathered, but for the one that makes
// the first list whole, which somebody may wait for.
func (p *pool) tell(ctx context.Context, done <-chan struct{}, report func(Update)) {
	select {
	case <-p.changed: // what is known by now
	default:
	}
	last := p.update()
	report(last)
	for ended := false; !ended; {
		select {
		case <-p.changed:
		case <-done:
			ended = true
		case <-ctx.Done():
			return
		}
		if !ended && !p.gather(ctx, last.Tried) {
			return
		}
		if next := p.update(); !next.equal(last) {
			report(next)
			last = next
		}
	}
}

// gather waits for changes that come together; where not everything has been tried before, no longer than until it is.
func (p *pool) gather(ctx context.Context, tried bool) bool {
	timer := time.NewTimer(together)
	defer timer.Stop()
	for tried || !p.update().Tried {
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		case <-p.changed:
		}
	}
	return true
}

func (u Update) equal(o Update) bool {
	return u.Tried == o.Tried && u.Complete == o.Complete && slices.Equal(u.Endpoints, o.Endpoints) && slices.Equal(u.Problems, o.Problems)
}

// sleep waits and reports true, or false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// shrink takes some of an entry's backends away. What is wrong with it stays so.
func (p *pool) shrink(i int, list []Endpoint) {
	p.change(func() bool {
		p.entries[i].list = list
		return true
	})
}
