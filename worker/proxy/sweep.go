package proxy

import (
	"time"

	"pingap/message"
	"pingap/worker/process"
)

const (
	// sweepEvery is the resolution of all time-outs of the engine.
	sweepEvery = 100 * time.Millisecond
	// lookEvery is how often a wait for the upstream is checked for a client that has left, and for an
	// upstream that has closed without an edge. A client's leaving is noticed within a second.
	lookEvery = 500 // ms
)

// Run watches over all connections until Close: time-outs, clients that leave, parking. It also runs
// the parking set.
func (p *Proxy) Run() {
	parked := make(chan struct{})
	go func() { // ends when Close closes the parking set
		p.parking.run()
		close(parked)
	}()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var trim process.Trimmer
	for n := 0; ; n++ {
		select {
		case <-p.done:
			<-parked
			return
		case t := <-tick.C:
			p.tickDate(t)
			p.sweep(message.Now(), n%10 == 0 || p.draining.Load() != nil)
			if n%10 == 0 {
				p.forget(message.Now())
				p.sweepUpstreams()
				p.routines.Trim()
				p.mirror.Trim()
			}
			if n%5 == 0 {
				trim.Look(p.parked.Load(), message.Now(), p.routines.Shed)
			}
		}
	}
}

// sweep looks at every connection; at the parked ones only when all is set.
func (p *Proxy) sweep(now int64, all bool) {
	var unpark []*conn
	plan := p.draining.Load()
	p.mu.Lock()
	for c := p.list.after; c != &p.list; c = c.after {
		m := c.muxLocking()
		busy := m != nil && m.sweep(now, plan)
		if plan != nil && !busy && c.cutOver(plan, now) || c.check(now, all) {
			unpark = append(unpark, c)
		}
	}
	p.patience.Next()
	p.mu.Unlock()
	for _, c := range unpark {
		p.parking.expire(c)
	}
}

func (p *Proxy) sweepUpstreams() {
	site := p.site.Load()
	if site == nil {
		return
	}
	now := message.Now()
	for _, u := range site.Upstreams {
		u.Sweep(now)
	}
}

// check interrupts a wait that is overdue. It reports whether the connection is parked and is to end.
func (c *conn) check(now int64, all bool) (expired bool) {
	w := &c.wait
	if !w.mu.TryLock() { // changing its phase this moment: certainly not overdue
		return false
	}
	defer w.mu.Unlock()
	if w.fired != causeNone {
		return false
	}
	over := w.deadline > 0 && now > w.deadline
	if m := c.mux(); m != nil {
		over = m.mayClose(now) // it is told first
	}
	switch w.phase {
	case phaseIdle:
		if over || c.drained(w.since, now) {
			w.fireLocked(causeTimeout)
		} else if c.p.patience.Over(now - w.since) {
			w.fireLocked(causePark)
		}
	case phaseParked:
		return all && (over || c.drained(w.since, now))
	case phaseHead:
		if over {
			w.fireLocked(causeTimeout)
		}
	case phaseUpstream:
		if over {
			w.fireLocked(causeTimeout)
		} else if millis(now)-w.checked > lookEvery {
			w.checked = millis(now)
			c.lookLocked(w)
		}
	}
	return false
}

// drained reports whether an idle connection is to be closed because the worker, or what it is a connection of, comes to its end.
func (c *conn) drained(since, now int64) bool {
	e := c.p.ending(c.server)
	return e != nil && c.mux() == nil && e.IdleOver(c.info.ID, since, now)
}

// lookLocked looks at both peers of a request that waits for its upstream.
func (c *conn) lookLocked(w *wait) {
	if c.gone() {
		w.fireLocked(causeClientOut)
		return
	}
	if w.target.gone() {
		w.fireLocked(causeLook)
	}
}

// tickDate renders the Date field's value once a second for the answers made here, and notes the time for records.
func (p *Proxy) tickDate(t time.Time) {
	p.anchor.Store(&t)
	text := t.UTC().AppendFormat(nil, "Mon, 02 Jan 2006 15:04:05 GMT")
	if old := p.date.Load(); old == nil || string(*old) != string(text) {
		p.date.Store(&text)
	}
}
