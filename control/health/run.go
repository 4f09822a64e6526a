package health

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

const (
	// tick is the least time between two looks at sockets and heap: with a thousand checks a second each look finds a hundred. Looks are
	// much of what a check costs, and nobody misses a tenth of a second of a check's interval.
	tick = 100 * time.Millisecond
	// briskTick is that while there are backends of which nothing is known yet, or more checks are due than one look may begin.
	briskTick = 20 * time.Millisecond
	// mostStarts bounds the checks that one look begins, so that a start is no storm: 25,000 a second.
	mostStarts = 500
	// soon is how long after its first check a backend is checked again that has never passed one, then twice as long each time, up to its
	// frequency: it may be starting together with this process, or be a listener that a configuration which is being applied brings.
	soon = time.Second
	// lackPause is how long a check waits that could not be made.
	lackPause = time.Second
	// lackSilence is how long nothing is said of more of these.
	lackSilence = int64(time.Minute)
)

// Run checks until ctx ends. It is called once.
func (c *Checker) Run(ctx context.Context) error {
	if c.poll != nil {
		return errEnded
	}
	poll, err := newPoller()
	if err != nil {
		return err
	}
	c.poll, c.in, c.lacked = poll, make([]byte, 16<<10), -lackSilence
	inner, cancel := context.WithCancel(ctx)
	c.ctx = inner
	defer c.end(cancel)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
		timer.Reset(c.pass(c.now()))
	}
}

// end closes all sockets and waits for the goroutines of exchanges.
func (c *Checker) end(cancel context.CancelFunc) {
	cancel()
	c.running.Wait()
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.doPosted(c.now()) // what goroutines gave back
	for _, g := range c.groups {
		for _, t := range g.targets {
			c.abort(t)
		}
	}
	c.spares.close()
	c.poll.close()
}

// pass does all there is to do now, and says how long there is nothing to do.
func (c *Checker) pass(now int64) time.Duration {
	c.doPosted(now)
	c.poll.look(func(t *target, events uint32) { c.happened(t, events, now) })
	starts := 0
	for ; len(c.due) > 0 && c.due[0].at <= now && starts < mostStarts; starts++ {
		t := c.due[0]
		c.due.remove(t)
		if t.stage != resting {
			c.expired(t, now)
			continue
		}
		c.start(t, now)
	}
	for ; starts < mostStarts; starts++ {
		t := c.sockets.next()
		if t == nil {
			t = c.exchanges.next()
		}
		if t == nil {
			break
		}
		c.enter(t, now)
	}
	switch {
	case starts == mostStarts, c.sockets.busy > 0 && c.hasUnchecked():
		return briskTick
	case c.sockets.busy > 0:
		return tick
	case len(c.due) == 0:
		return time.Hour // until something is posted
	}
	return max(tick, time.Duration(c.due[0].at-now))
}

// hasUnchecked says whether any target waits for its first result.
func (c *Checker) hasUnchecked() bool {
	for _, g := range c.groups {
		if g.unchecked > 0 {
			return true
		}
	}
	return false
}

// start begins the check of a target that is due, when there is a place for it.
func (c *Checker) start(t *target, now int64) {
	l := &c.exchanges
	if t.Check.byEpoll() {
		l = &c.sockets
	}
	if l.enter(t) {
		c.enter(t, now)
	}
}

// enter begins the check of a target that has a place.
func (c *Checker) enter(t *target, now int64) {
	if t.Check.byEpoll() {
		c.begin(t, now)
		return
	}
	c.exchange(t)
}

// first has t, the i-th of n, checked at once, and gives it its place in the interval.
func (c *Checker) first(t *target, now int64, i, n int) {
	g := t.group
	every := int64(t.Check.Frequency)
	place := g.phase
	if !t.Check.Parallel {
		place += float64(g.placed%n) / float64(n)
		g.placed++
	}
	if t.nominal = now - now%every + int64((place-float64(int(place)))*float64(every)); t.nominal > now {
		t.nominal -= every
	}
	at := now
	if !t.Check.Parallel {
		at += int64(i) * int64(min(briskTick, 200*time.Millisecond/time.Duration(n)))
	}
	c.due.set(t, at)
}

// next has t checked at its next place in the interval.
func (c *Checker) next(t *target, now int64) {
	every := int64(t.Check.Frequency)
	if behind := now - t.nominal; behind >= 0 {
		t.nominal += (behind/every + 1) * every
	}
	if t.nominal-now < every/4 {
		t.nominal += every // nothing is learned by asking twice at once
	}
	width := every / 10
	if t.Check.Parallel {
		width = min(width, int64(50*time.Millisecond))
	} else {
		width = min(width, every/int64(max(len(t.group.targets), 1)))
	}
	c.due.set(t, t.nominal+rand.Int64N(width+1))
}

// finish ends a check that was under way.
func (c *Checker) finish(t *target, o outcome, now int64) {
	if t.stage != resting {
		c.shut(t)
		t.stage = resting
	}
	if t.line != nil {
		t.line.leave(t)
	}
	if o.verdict == unmade {
		if now-c.lacked >= lackSilence {
			c.lacked = now
			c.log.Warn("health checks cannot be made", zap.String("upstream", t.group.name), zap.String("error", o.reason))
		}
		c.due.set(t, now+int64(lackPause))
		return
	}
	t.slow = o.verdict == timedOut
	c.conclude(t, o)
	if wait := int64(soon) << t.early; !t.proven && wait < int64(t.Check.Frequency) {
		t.early++
		c.due.set(t, now+wait)
		return
	}
	c.next(t, now)
}

// conclude counts what a check found, and tells of it when it changed something.
func (c *Checker) conclude(t *target, o outcome) {
	flipped := t.judge(o.verdict == passed)
	first := !t.checked
	if !flipped && !first {
		return
	}
	t.checked = true
	r := Result{Upstream: t.group.name, Key: t.Key, Healthy: t.healthy, First: first, Reason: t.why(o), At: time.Now()}
	if flipped {
		fields := []zap.Field{zap.String("upstream", r.Upstream), zap.String("address", t.Address.String())}
		if r.Healthy {
			c.log.Info("backend is healthy", fields...)
		} else {
			c.log.Warn("backend is unhealthy", append(fields, zap.String("reason", r.Reason))...)
		}
	}
	c.report(r)
	if first {
		t.group.unchecked--
	}
}
