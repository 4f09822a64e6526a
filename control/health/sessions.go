package health

import (
	"context"
	"net"

	"pingap/config"
)

// run is an https or grpc check that is under way.
type run struct {
	cancel context.CancelFunc
	slow   bool // as the line counted it
}

// session is a connection that may serve another check.
type session struct {
	conn net.Conn
	call *caller // for grpc
}

func (s *session) close() {
	if s == nil {
		return
	}
	_ = s.conn.Close() // nothing is lost
	if s.call != nil {
		s.call.close()
	}
}

// exchange is such a check, in its goroutine.
type exchange struct {
	agent   string
	check   *Compiled
	address config.Address
	session *session // nil for none
}

// exchange makes the check of t, which has a place, in a goroutine that ends with the check: all its waits are bounded.
func (c *Checker) exchange(t *target) {
	ctx, cancel := context.WithCancel(c.ctx)
	r := &run{cancel: cancel, slow: t.slow}
	e := &exchange{agent: c.agent, check: t.Check, address: t.Address, session: t.kept}
	t.run, t.kept = r, nil
	c.running.Go(func() {
		o := e.do(ctx)
		cancel()
		c.post(func(now int64) { c.exchanged(t, r, e, o, now) })
	})
}

// exchanged takes back what a goroutine had.
func (c *Checker) exchanged(t *target, r *run, e *exchange, o outcome, now int64) {
	if t.run != r { // aborted
		c.exchanges.release(r.slow)
		e.session.close()
		return
	}
	t.run, t.kept = nil, e.session
	if c.ctx.Err() != nil { // it may have ended by that
		t.line.leave(t)
		return
	}
	c.finish(t, o, now)
}

// fate is what becomes of a connection after a check.
type fate uint8

const (
	spent  fate = iota
	usable      // for another check
	silent      // nothing came over it
)

// do makes the check. A connection that served before may have been closed by the backend at any time: that says nothing, and a fresh one
// tells.
func (e *exchange) do(ctx context.Context) outcome {
	ask := e.ask
	if e.check.Scheme == config.HealthGRPC {
		ask = e.call
	}
	reused := e.session != nil
	o, after := ask(ctx)
	if reused && o.verdict == failed && after == silent {
		e.drop()
		o, after = ask(ctx)
	}
	if after != usable || !e.check.Reuse {
		e.drop()
	}
	return o
}

func (e *exchange) drop() {
	e.session.close()
	e.session = nil
}
