package proxy

import (
	"context"
	"errors"

	"pingap/message"
	"pingap/worker/queue"
	"pingap/worker/upstream"
)

// choose returns the backend to try first. Where none is available the request waits in the queue of the upstream, if that has one.
// After nil the request has been answered.
func (c *conn) choose(u *upstream.Upstream) *upstream.Backend {
	if u.Queue.Waiting() == 0 {
		if b := u.Pick(&c.s.ex.Record, nil); b != nil {
			return b
		}
	}
	if u.Queue == nil {
		c.noUpstream()
		return nil
	}
	return c.standInLine(u)
}

// standInLine waits for a backend, while the client does, and no longer than a call may take.
func (c *conn) standInLine(u *upstream.Upstream) *upstream.Backend {
	s := c.s
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	now := message.Now()
	c.enter(phaseUpstream, now, s.call.left(now), dialing{cancel})
	var b *upstream.Backend
	err := u.Queue.Wait(ctx, u.Changed, func() bool {
		b = u.Pick(&s.ex.Record, nil)
		return b != nil
	})
	s.clientGone = c.wait.leave() == causeClientOut
	switch {
	case err == nil && s.clientGone:
		s.next = b
		s.dropNext()
	case err == nil:
		return b
	case s.clientGone:
	case errors.Is(err, queue.ErrFull):
		s.ex.Limited = message.LimitedByQueue
		c.answerFailure(503, "HTTPStatus", "The queue for upstream "+u.Name+" is full")
	case errors.Is(err, queue.ErrLate):
		s.ex.Limited = message.LimitedByQueue
		c.answerFailure(503, "HTTPStatus", "No backend of upstream "+u.Name+" became available within queue_timeout")
	case c.cutting():
		c.answerError(503, "Stopping", "")
	default:
		c.answerFailure(504, "ReadTimedout", "")
	}
	return nil
}
