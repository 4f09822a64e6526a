package proxy

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"pingap/message"
	"pingap/worker/bodyparts"
	"pingap/worker/drain"
	"pingap/worker/grpc"
)

// Drain begins to end all connections softly: answers carry "Connection: close", those that are idle are closed in their time,
// and what is at work when its time is up is cut. A second call changes nothing.
func (p *Proxy) Drain(t drain.Times) { p.draining.CompareAndSwap(nil, drain.Begin(message.Now(), t)) }

// Hurry leaves what is draining at most d from now on.
func (p *Proxy) Hurry(d time.Duration) {
	if plan := p.draining.Load(); plan != nil {
		plan.Hurry(message.Now(), d)
	}
}

// Drained waits until no connection is left, or stop is closed; what is left then is the caller's to cut. The end of the process would reset
// connections on which a client is sending, so it waits for these as well.
func (p *Proxy) Drained(stop <-chan struct{}) {
	for p.connections.Load()+p.lingering.Load()+p.refreshes.Load() > 0 {
		select {
		case <-p.wake:
		case <-stop:
			return
		}
	}
}

// Ends tells how requests and connections have ended since Drain.
func (p *Proxy) Ends() drain.Counts { return p.ends.Counts() }

// cutPatience bounds what Close does to connections, cutAgain is the pause between two rounds of interrupting. mirrorMoment is what copies
// of requests still have then.
const (
	cutPatience  = time.Second
	cutAgain     = 20 * time.Millisecond
	mirrorMoment = 200 * time.Millisecond
)

// Close cuts every connection, waits for their goroutines to have ended their requests, and ends the
// proxy's own. Requests in flight end as if their time were up. It takes a second and a half at most.
func (p *Proxy) Close() {
	p.cutting.Store(true)
	p.Drain(drain.Times{})
	for end := time.Now().Add(cutPatience); p.connections.Load()+p.refreshes.Load() > 0 && time.Now().Before(end); {
		p.cutAll()
		select {
		case <-p.wake:
		case <-time.After(cutAgain):
		}
	}
	p.mirror.Close(mirrorMoment)
	close(p.done)
	p.routines.Close()
	p.parking.close()
}

// cutAll interrupts every connection, whatever it waits for.
func (p *Proxy) cutAll() {
	var parked []*conn
	p.mu.Lock()
	for c := p.list.after; c != &p.list; c = c.after {
		c.cutWhy.CompareAndSwap(uint32(drain.NotCut), uint32(drain.Stop))
		if c.cut(true) {
			parked = append(parked, c)
		}
	}
	p.mu.Unlock()
	for _, c := range parked {
		p.parking.expire(c)
	}
}

// politeTime is how long a tunnel or an event stream has to end between two messages after its time is up, and politeLonger until
// the last byte has been sent: then it is cut wherever it is.
const (
	politeTime   = time.Second
	politeLonger = 2 * politeTime
)

// cutOver cuts a connection whose time is up while the worker drains. It reports whether the connection is parked.
func (c *conn) cutOver(plan *drain.Plan, now int64) (parked bool) {
	long := c.long.Load()
	var own time.Duration
	if long != nil {
		own = long.DrainTimeout
	}
	why := plan.Over(c.info.ID, long != nil, own, now)
	if why == drain.NotCut {
		return false
	}
	if c.cutWhy.Load() == uint32(drain.NotCut) {
		c.cutAt.Store(millis(now))
		c.cutWhy.Store(uint32(why))
	}
	return c.cut(c.cutFor(now) > politeLonger)
}

// cutFor is how long ago the connection was to be cut.
func (c *conn) cutFor(now int64) time.Duration {
	return time.Duration(millis(now)-c.cutAt.Load()) * time.Millisecond
}

// cut interrupts a connection, with hard also where it writes, and reports whether it is parked.
func (c *conn) cut(hard bool) bool {
	c.wait.mu.Lock()
	defer c.wait.mu.Unlock()
	if c.wait.phase == phaseParked {
		return true
	}
	c.wait.fireLocked(causeTimeout)
	if hard {
		_ = c.net.SetWriteDeadline(past) // an error is a connection that is closed
	}
	return false
}

// cutting reports whether what the connection does is to end.
func (c *conn) cutting() bool {
	return c.cutWhy.Load() != uint32(drain.NotCut) || c.p.cutting.Load()
}

// polite reports whether a connection that is being cut still has time to find a good place.
func (c *conn) polite() bool {
	return !c.p.cutting.Load() && c.cutFor(message.Now()) < politeTime
}

// readable reports whether the client has sent something.
func (c *conn) readable() bool {
	found := false
	_ = c.raw.Control(func(fd uintptr) { // an error is a connection that is closed
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		found = err == nil && n > 0
	})
	return found
}

// noteEnd counts a request that has ended while the worker drains.
func (c *conn) noteEnd(keep bool) {
	s := c.s
	well := !s.broken && !s.clientGone
	cut := c.cutting() && (s.broken || s.ex.ErrorType != "")
	if s.server.Uncounted {
		return
	}
	if well && !cut {
		c.p.ends.Finish()
	}
	switch {
	case cut:
		c.end = drain.Cut
	case !keep && well && s.ex.Status != 101: // the end of a tunnel is its peers'
		c.end = drain.AfterAnswer
	}
}

// noteClosed counts a connection that ends while the worker drains. One of HTTP/2 was cut when any of its streams was.
func (c *conn) noteClosed() {
	if server := c.p.server(c.server); server != nil && server.Uncounted {
		return
	}
	end, why := c.end, drain.Why(c.cutWhy.Load())
	if m := c.mux(); m != nil {
		if cut := drain.Why(m.cutWhy.Load()); cut != drain.NotCut {
			end, why = drain.Cut, cut
		}
	}
	c.p.ends.Count(end, why)
}

// interruptedByCut handles the interruption of a wait for the upstream by a cut. It reports whether that ends the exchange.
func (c *conn) interruptedByCut(up *upstreamIO) bool {
	if p := &c.s.resp.parts; p.Known() && c.polite() {
		if p.Between() {
			return c.endBetween(up)
		}
		return false // look again, for the rest of the part
	}
	return up.failed(503, "Stopping")
}

// endBetween ends a response between two of its parts. It returns true.
func (c *conn) endBetween(up *upstreamIO) bool {
	if c.s.resp.parts.Kind() == bodyparts.Messages {
		c.s.stopCall(grpc.Unavailable, "the proxy stops")
	}
	return c.endEarly(up)
}

// endEarly ends a response as if the upstream had ended it. It returns true.
func (c *conn) endEarly(up *upstreamIO) bool {
	c.s.broken, c.s.keepClient, up.extra = true, false, true // more would have come: the connection to the upstream is of no use any more
	if c.relayEnd() != nil {
		return up.clientGone()
	}
	up.want = wantDone
	return true
}

// errCut is the end of a direction of a tunnel whose time is up.
var errCut = errors.Join(errors.New("the time of the tunnel is up"), os.ErrDeadlineExceeded)
