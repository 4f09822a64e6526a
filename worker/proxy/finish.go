package proxy

import (
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"pingap/message"
)

// finish ends a request: what it held is given back, its record is written, and the connection made
// ready for the next. It returns what the connection does then.
func (c *conn) finish() next {
	s := c.s
	c.endUpload()
	if s.mirror != nil { // its body did not come whole
		s.mirror.Drop()
		s.mirror = nil
	}
	if s.clientGone {
		s.keepClient = false
		if !s.headSent {
			s.ex.Status = 499
			s.ex.ErrorType = "ConnectionClosed"
		}
	}
	c.endExchange(s.headSent && !s.broken && !s.clientGone)
	if s.held {
		s.location.Slots.Release()
	}
	now := s.over()
	s.ex.Over, s.ex.Anchor = now, c.p.anchor.Load()
	s.count(now)
	if s.ex.Trace.On() {
		s.server.Tracer.End(&s.ex.Record, now)
	}
	if s.server.Log != nil {
		s.server.Log.Log(&s.ex.Record)
	}
	if t := c.p.tap.Load(); t != nil && !s.server.Uncounted {
		t.Log(&s.ex.Record)
	}
	if s.counted {
		s.server.Processing.Add(-1)
	}
	c.info.Requests++
	keep := s.keepClient && !c.worn()
	c.p.requests.Add(1)
	c.p.inFlight.Add(-1)
	if c.long.Load() != nil {
		c.long.Store(nil)
	}
	if c.p.draining.Load() != nil {
		c.noteEnd(keep)
	}
	s.reset()
	if !keep {
		return nextClose
	}
	c.partial = false
	if s.r < s.w {
		s.ex.Start = now // a pipelined request: it begins when its turn comes
	}
	c.idle(now)
	return nextRequest
}

// count counts a request that is over for the metrics.
func (s *session) count(now int64) {
	s.server.Counts.Request(&s.ex.Record)
	if s.location != nil {
		s.location.Counts.End(&s.ex.Record, now)
	}
}

// over is when the exchange was over: what is known of it, or now.
func (s *session) over() int64 {
	if s.ended == 0 {
		return message.Now()
	}
	return s.ended
}

// worn reports whether the connection has served as many requests as it may.
func (c *conn) worn() bool {
	max := c.s.server.KeepAliveRequests
	return max > 0 && c.info.Requests >= max
}

// keepAfter reports whether the connection will be kept after the present response, which must say so.
func (c *conn) keepAfter() bool {
	s := c.s
	if max := s.server.KeepAliveRequests; max > 0 && c.info.Requests+1 >= max || c.p.ending(c.server) != nil {
		s.keepClient = false
	}
	return s.keepClient
}

// panicked ends a request in which something of ours or of a plugin panicked. The connection is
// closed: nobody knows what it is in the middle of.
func (c *conn) panicked(cause any) next {
	c.notePanic(cause)
	s := c.s
	s.keepClient = false
	c.abandon()
	if !s.headSent || s.resp.headOnly {
		s.headSent, s.resp.headOnly = false, false
		c.answerError(500, "InternalError", "internal error")
	}
	return c.finish()
}

// abandon ends what there is of an exchange with an upstream.
func (c *conn) abandon() {
	s := c.s
	if s.up != nil {
		c.wait.leave()
		c.stopUpload()
		s.up.discard()
		s.up = nil
	}
	s.endAttempt(answered, failure{status: 500})
	s.dropNext()
	c.endFilters()
}

func (c *conn) notePanic(cause any) {
	c.p.panics.Add(1)
	c.p.log.Error("request panicked", zap.String("cause", fmt.Sprint(cause)), zap.String("location", c.s.ex.Location),
		zap.ByteString("stack", debug.Stack()))
}
