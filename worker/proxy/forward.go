package proxy

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/upstream"
)

// forward sends the request to a backend of the location's upstream and the response back.
func (c *conn) forward() served {
	s := c.s
	u := s.upstream()
	if u == nil {
		c.noUpstream()
		return answered
	}
	s.ex.Upstream = u.Name
	if s.call.kind != callNone && !c.startCall(u) {
		return answered
	}
	if s.rehearsal != nil {
		s.rehearsal.forward(s, u)
		return answered
	}
	u.Aim(&s.target, &s.ex.Record)
	if s.location.Mirror != nil && !s.nobody {
		c.beginMirror()
	}
	rules := u.Retries()
	rules.Budget.Earn()
	for b := c.choose(u); b != nil; {
		how, fail := c.attempt(u, b)
		if fail.status == 0 {
			c.answerInstead()
			return how
		}
		next := s.next
		if s.next = nil; next == nil && c.mayRetry(rules, fail) {
			next = u.Pick(&s.ex.Record, s.tried)
		}
		if next == nil {
			c.answerFailure(fail.status, fail.kind, "")
			return answered
		}
		b = next
	}
	return answered
}

// upstream is the upstream of the request: a plugin's choice, a captured variable's, or the location's.
func (s *session) upstream() *upstream.Upstream {
	if s.ex.UpstreamOverride != "" {
		return s.site.Upstreams[s.ex.UpstreamOverride]
	}
	if s.location.Upstream != nil || s.location.Route.UpstreamVar == "" {
		return s.location.Upstream
	}
	name, _ := s.ex.Capture(s.location.Route.UpstreamVar)
	return s.site.Upstreams[string(name)]
}

func (c *conn) noUpstream() {
	c.answerFailure(503, "HTTPStatus", "No available upstream for "+c.s.location.Route.Name)
}

// attempt tries one backend, and tells it how that ended. A failure has not been answered.
func (c *conn) attempt(u *upstream.Upstream, b *upstream.Backend) (how served, fail failure) {
	s := c.s
	s.beginAttempt(b)
	begin := message.Now()
	s.ex.Trace.Began, s.ex.Trace.Secure = begin, u.Config.SNI != ""
	if s.shares(u) {
		how, fail = c.attemptShared(u, b, begin)
	} else {
		how, fail = c.attemptAlone(u, b, nil, begin)
	}
	s.endAttempt(how, fail)
	return how, fail
}

// shares reports whether the request goes to an upstream over HTTP/2, if its backends agree.
func (s *session) shares(u *upstream.Upstream) bool {
	return u.Multiplexed() && !(s.reqFrame.Upgrade && u.SpeaksHTTP1())
}

// attemptAlone is attempt over connections of HTTP/1, which requests have for themselves. The first may be given.
func (c *conn) attemptAlone(u *upstream.Upstream, b *upstream.Backend, conn *upstream.Conn, begin int64) (served, failure) {
	s := c.s
	fresh := false
	c.buildRequest()
	for ; ; conn = nil {
		if conn == nil {
			var err error
			if conn, err = c.connect(b, fresh, begin); err != nil {
				return answered, connectFailure(err)
			}
		} else {
			s.ex.UpstreamTCPConnect, s.ex.UpstreamTLSHandshake = conn.Connect, conn.Handshake
			c.noteConnection(conn, message.Now()-begin, begin)
		}
		how, fail := c.exchangeOn(u, conn, begin)
		if fail.status != 0 && s.ex.UpstreamReused && !fresh && c.replayable(fail) {
			fresh = true // the pooled connection was stale: once more on a new one
			continue
		}
		return how, fail
	}
}

// exchangeOn exchanges request and response on a connection of HTTP/1.
func (c *conn) exchangeOn(u *upstream.Upstream, conn *upstream.Conn, begin int64) (served, failure) {
	up := ioOf(conn)
	c.s.up = up
	how, fail := c.exchange(u, up, begin+c.s.ex.UpstreamConnect)
	c.s.up = nil
	return how, fail
}

// replayable reports whether the request may be sent once more after a pooled connection was closed
// under it: no byte of an answer came, the whole request is at hand, and either it may arrive twice or
// the kernel took none of it.
func (c *conn) replayable(fail failure) bool {
	s := c.s
	return fail.unanswered && s.reqWhole && !s.headSent && !s.clientGone &&
		(fail.unsent || s.ex.Request.Idempotent())
}

// trustIdle is how long a pooled connection may have been idle to be used without a look at it. The look
// costs a system call; under load connections are idle for less, and where the load is low the
// call does not matter. It finds connections that the upstream has closed, and bytes that the
// upstream sent unasked, which must never become the answer to the next request.
const trustIdle = int64(2 * time.Millisecond)

// connect takes a pooled connection, or dials.
func (c *conn) connect(b *upstream.Backend, fresh bool, begin int64) (*upstream.Conn, error) {
	s := c.s
	var conn *upstream.Conn
	for !fresh {
		if conn = b.Take(&s.target); conn == nil {
			break
		}
		trusted := s.reqWhole && s.ex.Request.Idempotent() && begin-conn.IdleSince() < trustIdle
		if trusted || conn.Alive() {
			break
		}
		conn.Discard()
	}
	if conn == nil {
		dialled, err := c.dial(b)
		if err != nil {
			return nil, err
		}
		conn = dialled
		c.noteConnection(conn, message.Now()-begin, begin)
	} else {
		c.noteConnection(conn, 0, begin) // less than it costs to look at the clock
	}
	return conn, nil
}

// noteConnection notes what the log knows of the connection that a request goes over.
func (c *conn) noteConnection(conn *upstream.Conn, took, begin int64) {
	ex := &c.s.ex
	ex.UpstreamConnect = took
	ex.UpstreamConnectionAge = begin + took - conn.Opened
	ex.UpstreamReused = conn.Uses > 0
}

// dial connects to a backend, in the time of the upstream's connection_timeout; it ends early when the
// client leaves.
func (c *conn) dial(b *upstream.Backend) (*upstream.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.enter(phaseUpstream, message.Now(), 0, dialing{cancel})
	conn, err := b.Dial(ctx, &c.s.target)
	c.s.clientGone = c.wait.leave() == causeClientOut
	if err != nil {
		return nil, err
	}
	c.s.ex.UpstreamTCPConnect = conn.Connect
	c.s.ex.UpstreamTLSHandshake = conn.Handshake
	return conn, nil
}

// connectFailure says how to answer a failed connect.
func connectFailure(err error) failure {
	fail := failure{status: 502, kind: "ConnectError", connect: true, blameless: ownFault(err)}
	var ce *upstream.ConnectError
	if errors.As(err, &ce) {
		fail.kind = ce.EType()
		if ce.Timeout() {
			fail.status = 504
		}
	}
	return fail
}

// buildRequest writes the head for the upstream into s.out, and a short body behind it.
func (c *conn) buildRequest() {
	s := c.s
	out := http1.Out{Length: message.LengthUnknown, Upgrade: s.reqFrame.Upgrade,
		TETrailers: s.reqFrame.TETrailers, Host: s.ex.UpstreamAddr}
	fields := &s.ex.Request.Fields
	var lines [192]byte
	if s.inside == nil && !s.location.ChangesHeaders && s.ex.Trace.Upstream != 0 {
		out.More = s.server.Tracer.AppendLines(lines[:0], &s.ex.Record, fields)
	}
	if len(out.More) == 0 { // else it spares a copy of the fields
		fields = s.requestFields()
	}
	if strings.HasPrefix(out.Host, "unix:") {
		out.Host = "localhost"
	}
	switch {
	case s.reqFrame.Chunked:
		out.Chunked = true
	case s.reqFrame.Length > 0 || s.ex.Request.Fields.Has(message.ContentLength):
		out.Length = s.reqFrame.Length
	}
	s.out = http1.AppendRequest(s.out[:0], &s.ex.Request, fields, out)
}

// requestFields are the fields to send: a changed copy of the request's, if the location changes any or the request is traced.
func (s *session) requestFields() *message.Fields {
	if s.inside != nil {
		return s.insideFields()
	}
	traced := s.ex.Trace.Upstream != 0
	if !s.location.ChangesHeaders && !traced {
		return &s.ex.Request.Fields
	}
	s.upFields.CopyFrom(&s.ex.Request.Fields)
	if traced { // before what the location sets, which holds
		s.server.Tracer.Propagate(&s.ex.Record, &s.upFields)
	}
	if s.location.ChangesHeaders {
		s.location.Route.RequestHeaders(&s.ex.Record, &s.upFields)
	}
	return &s.upFields
}

// exchange sends the request on a connection and passes the response on. A failure without a status is
// none. Afterwards the connection is back in the pool, where others take it, or closed.
func (c *conn) exchange(u *upstream.Upstream, up *upstreamIO, now int64) (served, failure) {
	s := c.s
	first := stageSend
	if !s.reqWhole || up.stream != nil {
		first = stageHead
	}
	up.begin(c, first, u.ReadTimeout, now)
	c.await(up.sent, up)
	if !s.reqWhole {
		c.startUpload(up, u.WriteTimeout)
	}
	for up.want == wantMore {
		if err := up.wait(); err != nil {
			c.interrupted(up, err)
			continue
		}
		switch up.want {
		case wantWrite:
			c.writeRest(up, u.WriteTimeout)
		case wantSplice:
			c.splice(up, u.ReadTimeout)
		}
	}
	c.wait.leave()
	c.endFilters()
	if s.ex.UpstreamStatus != 0 {
		s.ended = message.Now()
		s.ex.UpstreamResponse = s.ended - up.sent - max(s.ex.UpstreamProcessing, 0)
	}
	if up.want == wantTunnel {
		s.tunnelUp = up
		return tunnelled, failure{}
	}
	fail := up.fail
	c.retire(up)
	return answered, fail
}

// retire puts the connection back into the pool if both messages on it ended as announced.
func (c *conn) retire(up *upstreamIO) {
	s := c.s
	if up.stream != nil {
		c.retireStream(up)
		return
	}
	if up.want == wantDone && c.uploadComplete() && s.resp.frame.KeepAlive && !up.extra {
		conn := up.conn
		up.end()
		conn.Backend.PutAt(conn, s.ended)
		return
	}
	c.stopUpload()
	up.discard()
}

// interrupted handles an error of the wait for the upstream: an interruption by the sweeper or the
// upload, or a connection that failed.
func (c *conn) interrupted(up *upstreamIO, err error) {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		up.failed(502, "ReadError")
		return
	}
	if fail, failed := c.uploadFailure(); failed {
		up.failed(fail.status, fail.kind)
		return
	}
	why := c.wait.peek()
	switch {
	case c.cutting():
		if c.interruptedByCut(up) {
			return
		}
	case why == causeTimeout && c.impatient():
		c.endImpatient(up)
		return
	case why == causeTimeout && !c.uploadRuns():
		up.failed(504, "ReadTimedout")
		return
	case why == causeClientOut && !c.uploadRuns() && !(up.stage == stageBody && c.fillsOn()): // while it runs the upload sees for itself
		up.clientGone()
		return
	}
	// Look again: the callback's first read finds what there is. The interruption may also have been
	// meant for an earlier wait, or have come while the body is still going up.
	if up.net().SetReadDeadline(time.Time{}) != nil {
		up.failed(502, "ReadError")
		return
	}
	c.wait.again()
	c.await(message.Now(), up)
}

// writeRest writes the part of the request that the socket did not take at once.
func (c *conn) writeRest(up *upstreamIO, limit time.Duration) {
	up.want = wantMore
	var deadline time.Time // none without a limit
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	err := up.conn.SetWriteDeadline(deadline)
	for i := 0; i < len(up.rest) && err == nil; i++ {
		if len(up.rest[i]) > 0 {
			_, err = up.conn.Write(up.rest[i])
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		up.failed(504, "WriteTimedout")
	}
	// Any other error: the upstream may have answered before it stopped reading; look for that.
}
