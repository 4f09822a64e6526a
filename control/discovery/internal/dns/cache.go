package dns

import (
	"context"
	"sync"
	"time"
)

const (
	maxCached = 8192
	// failedFor is how long a failure is told again without asking, to those who ask nearly at once.
	failedFor = 500 * time.Millisecond
)

// key is a question and whom it is put to.
type key struct {
	servers string
	question
}

// cached is an answer, or a question on its way.
type cached struct {
	done      chan struct{} // closed when the rest is set
	reply     reply
	err       error
	at, until time.Time
}

// cache keeps answers, and lets many who ask the same wait for one answer.
type cache struct {
	mu      sync.Mutex
	entries map[key]*cached
}

func newCache() *cache { return &cache{entries: map[key]*cached{}} }

// get returns the answer and until when it holds. find is called where none is known; if it ends because the context of who called it
// ended, others who waited call theirs.
func (c *cache) get(ctx context.Context, k key, maxAge time.Duration, find func() (reply, error)) (reply, time.Time, error) {
	for {
		e, mine := c.entry(k, maxAge)
		if mine {
			r, err := find()
			c.finish(ctx, k, e, r, err)
			return r, e.until, err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return reply{}, time.Time{}, ctx.Err()
		}
		if !e.until.IsZero() {
			return e.reply, e.until, e.err
		}
	}
}

// entry returns what is known or on its way, or a new entry that is the caller's to fill.
func (c *cache) entry(k key, maxAge time.Duration) (e *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if e := c.entries[k]; e != nil && e.holds(now, maxAge) {
		return e, false
	}
	if len(c.entries) >= maxCached {
		c.shrinkLocked(now)
	}
	e = &cached{done: make(chan struct{})}
	c.entries[k] = e
	return e, true
}

func (e *cached) holds(now time.Time, maxAge time.Duration) bool {
	select {
	case <-e.done:
	default:
		return true // on its way
	}
	// Look-ups come up to a tenth early, see the watcher; they are to find this too old.
	return now.Before(e.until) && (maxAge == 0 || now.Sub(e.at) < maxAge*8/10)
}

// shrinkLocked drops what does not hold any more, or everything that is not on its way.
func (c *cache) shrinkLocked(now time.Time) {
	for _, over := range []func(*cached) bool{
		func(e *cached) bool { return !e.holds(now, 0) },
		func(e *cached) bool { return !e.until.IsZero() },
	} {
		for k, e := range c.entries {
			if over(e) {
				delete(c.entries, k)
			}
		}
		if len(c.entries) < maxCached*3/4 {
			return
		}
	}
}

// finish fills an entry. One whose caller's context ended is nobody's answer.
func (c *cache) finish(ctx context.Context, k key, e *cached, r reply, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil && ctx.Err() != nil:
		if c.entries[k] == e {
			delete(c.entries, k)
		}
	case err != nil || r.gone || len(r.addrs)+len(r.services) == 0 && r.alias == "":
		e.until = now.Add(failedFor)
	default:
		e.until = now.Add(min(max(r.ttl, minTTL), maxTTL))
	}
	e.reply, e.err, e.at = r, err, now
	close(e.done)
}
