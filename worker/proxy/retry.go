package proxy

import (
	"context"
	"errors"
	"syscall"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/upstream"
)

// maxAttempts bounds the backends tried for one request, whatever max_retries says.
const maxAttempts = 16

// beginAttempt makes b the backend being tried. What is known of the one before is forgotten.
func (s *session) beginAttempt(b *upstream.Backend) {
	ex := &s.ex
	if ex.Trace.On() {
		s.server.Tracer.Attempt(&ex.Record)
	}
	if ex.UpstreamAttempts > 0 {
		ex.Response.Reset()
		ex.UpstreamStatus, ex.UpstreamReused, s.ended = 0, false, 0
		ex.UpstreamConnect, ex.UpstreamTCPConnect, ex.UpstreamTLSHandshake = message.Unset, message.Unset, message.Unset
		ex.UpstreamConnectionAge, ex.UpstreamProcessing, ex.UpstreamResponse = message.Unset, message.Unset, message.Unset
	}
	ex.UpstreamAttempts++
	ex.UpstreamAddr = b.Addr
	b.Begin()
	s.backend, s.told = b, false
}

// tell tells the backend being tried how that ended, once.
func (s *session) tell(fail failure) {
	if !s.told {
		s.told = true
		o := s.outcome(fail)
		s.backend.Done(&s.ex.Record, o)
		s.countAttempt(o, fail)
	}
}

// countAttempt counts an attempt for the metrics.
func (s *session) countAttempt(o upstream.Outcome, fail failure) {
	failed := ""
	if o.Failed {
		failed = fail.kind
	}
	s.location.Counts.Attempt(&s.ex.Record, s.backend.Upstream().Name, failed)
}

// endAttempt ends what beginAttempt began, if it did. The place of a tunnel is kept until that ends.
func (s *session) endAttempt(how served, fail failure) {
	b := s.backend
	if b == nil {
		return
	}
	s.tell(fail)
	if how == tunnelled {
		return
	}
	if s.ex.Trace.On() {
		s.ex.Trace.EndAttempt(s.over(), fail.kind)
	}
	b.End()
	s.backend = nil
	s.tried = append(s.tried, b)
}

// dropNext gives up a backend that was chosen and is not to be tried any more.
func (s *session) dropNext() {
	if b := s.next; b != nil {
		s.next = nil
		s.beginAttempt(b)
		s.endAttempt(answered, failure{status: 499})
	}
}

// outcome is how an attempt looks from the backend's side: only what is its own fault counts as failure.
func (s *session) outcome(fail failure) upstream.Outcome {
	o := upstream.Outcome{Status: s.ex.UpstreamStatus}
	switch {
	case fail.status == 0, fail.held:
	case fail.backends() && !s.clientGone:
		o.Failed = true
	default:
		o.Cancelled = o.Status == 0
	}
	return o
}

// failure is how an exchange with an upstream ended early.
type failure struct {
	status int    // to answer, if nothing has been sent
	kind   string // the error type
	// unanswered tells that the connection was closed before a byte of the answer came, unsent that
	// not even a byte of the request was taken.
	unanswered, unsent bool
	// silent tells that no byte of an answer came, whatever the reason; connect that there was no connection; held that the answer
	// was held back, for that of another backend.
	silent, connect, held bool
	// blameless tells that it is not the backend's fault, whatever the status says.
	blameless bool
}

// backends reports whether it is the backend's fault. What is ours or the client's has another status.
func (f failure) backends() bool {
	return !f.blameless && (f.status == 502 || f.status == 504)
}

// ownFault reports whether connecting failed for want of something here, or because nobody wanted it any more: no backend is
// to suffer for it.
func ownFault(err error) bool {
	for _, own := range []error{context.Canceled, upstream.ErrForbidden, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
		syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// impatient reports whether the time that the client gave a call is over: the backend may have more.
func (c *conn) impatient() bool {
	until := c.s.call.until
	return until != 0 && message.Now() >= until
}

// mayRetry reports whether another backend may be tried after a failure. Where the request may have been sent that takes from
// the budget: it is asked once, and when the answer matters.
func (c *conn) mayRetry(rules *upstream.RetryRule, fail failure) bool {
	s, l := c.s, c.s.location
	if s.ex.UpstreamAttempts > min(l.MaxRetries, maxAttempts-1) || s.headSent || s.clientGone || c.cutting() || c.impatient() ||
		l.RetryWindow > 0 && message.Now()-s.ex.Start > int64(l.RetryWindow) {
		return false
	}
	if fail.connect {
		return true // nothing of the request has been sent
	}
	return (fail.held || fail.silent && fail.backends()) && c.maySendAgain(rules, fail.unsent) && rules.Budget.Spend()
}

// maySendAgain reports whether a request that has been sent may be sent to another backend: it is at hand as a whole, and may arrive
// twice, or the backend has said that it did nothing with it (RFC 9113 section 8.7).
func (c *conn) maySendAgain(rules *upstream.RetryRule, unsent bool) bool {
	s := c.s
	return s.reqWhole && !s.reqFrame.Upgrade && (unsent || rules.NonIdempotent || s.ex.Request.Idempotent())
}

// holdBack decides whether the response whose head has come is passed on, or that of another backend in its place, which is chosen
// here: where there is none, the client gets what there is. It reports whether the response is held back.
func (c *conn) holdBack(up *upstreamIO, frame http1.Framing) bool {
	s := c.s
	u := s.backend.Upstream()
	rules := u.Retries()
	if !rules.Status(s.ex.UpstreamStatus) || up.interim > 0 {
		return false
	}
	fail := failure{status: s.ex.UpstreamStatus, kind: "HTTPStatus", held: true}
	if !c.mayRetry(rules, fail) {
		return false
	}
	s.tell(fail) // what comes after the head does not matter; the choice below may be for a backend's probe, which the record has room for once
	if s.next = u.Pick(&s.ex.Record, append(s.tried, s.backend)); s.next == nil {
		return false
	}
	s.resp.frame = frame
	up.want, up.fail = wantFail, fail
	if up.bodyAtHand(frame) {
		up.want = wantDone // and the connection can be used again
	}
	return true
}

// bodyAtHand reports whether the whole body of a response came with its head, and nothing behind it.
func (up *upstreamIO) bodyAtHand(frame http1.Framing) bool {
	if up.stream != nil {
		_, whole := up.stream.Buffered()
		return whole
	}
	if !frame.Chunked {
		return frame.Length == int64(len(up.unread()))
	}
	var chunks http1.Chunked
	_, used, err := chunks.Pass(up.unread())
	return err == nil && chunks.Done() && used == len(up.unread())
}
