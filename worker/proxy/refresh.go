package proxy

import (
	"io"
	"net"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// maxRefreshes bounds the requests in the background of a worker.
const maxRefreshes = 64

// refreshing is a request that goes to the upstream for the Storer of its location alone (plugins.Decision.Refresh). It is served as one of a
// client would be that wants nothing but to be answered: no deciders, no limits, no log. The sweeper looks after it as after any connection,
// and a drain waits for it.
type refreshing struct {
	conn
	early bool // the path has not been rewritten yet
}

// refresh sends a copy of the request in the background. Where too many are on their way it is dropped.
func (c *conn) refresh(early bool) {
	p, from := c.p, c.s
	state := from.ex.State
	from.ex.State = nil
	if p.refreshes.Add(1) > maxRefreshes || c.cutting() {
		p.refreshDone()
		if x, ok := state.(plugins.Ender); ok {
			x.End(false)
		}
		return
	}
	k := &refreshing{early: early}
	k.p, k.net, k.server, k.info, k.parkedFD = p, nobody{}, c.server, c.info, -1
	s := p.pools.session()
	k.s = s
	s.site, s.server, s.location, s.nobody, s.reqWhole = from.site, from.server, from.location, true, true
	s.ex.CopyFrom(&from.ex.Record)
	s.ex.Detach()
	s.ex.Conn, s.ex.Start, s.ex.Status, s.ex.ErrorType = &k.info, message.Now(), 0, ""
	s.ex.Trace.Reset() // it is another request, and no client's
	s.ex.Request.BodyLength = 0
	s.ex.UpstreamOverride, s.ex.State = from.ex.UpstreamOverride, state
	k.busy()
	p.link(&k.conn)
	p.inFlight.Add(1)
	p.routines.Go(k) // ends with its request; Drained and Close wait for it
}

// refreshDone gives the place of a request in the background back.
func (p *Proxy) refreshDone() {
	p.refreshes.Add(-1)
	p.wakeUp()
}

// Run implements routines.Task.
func (k *refreshing) Run() {
	c := &k.conn
	k.serve()
	s := c.s
	c.endExchange(s.ex.ErrorType == "" && !s.clientGone)
	c.p.unlink(c)
	s.reset()
	c.p.pools.putSession(s)
	c.p.inFlight.Add(-1)
	c.p.refreshDone()
}

func (k *refreshing) serve() {
	c := &k.conn
	defer func() {
		if cause := recover(); cause != nil {
			c.notePanic(cause)
			c.s.ex.ErrorType = "InternalError"
			c.abandon()
		}
	}()
	if k.early {
		c.s.location.Route.Rewrite(&c.s.ex.Record, c.s.server.RawPath)
	}
	c.forward()
}

// nobody is the client of a request that has none: it takes everything.
type nobody struct{}

func (nobody) Read([]byte) (int, error)         { return 0, io.EOF }
func (nobody) Write(p []byte) (int, error)      { return len(p), nil }
func (nobody) Close() error                     { return nil }
func (nobody) LocalAddr() net.Addr              { return nil }
func (nobody) RemoteAddr() net.Addr             { return nil }
func (nobody) SetDeadline(time.Time) error      { return nil }
func (nobody) SetReadDeadline(time.Time) error  { return nil }
func (nobody) SetWriteDeadline(time.Time) error { return nil }
