package proxy

import (
	"errors"
	"io"

	"go.uber.org/zap"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http1"
)

// Answers of plugins whose body is a file or still being made, or which pass the plugins of the location as an upstream's response does.
// One that lies in memory and that nobody wants to see is sent by sendLocal.

// respondLocally has the plugins of the location act on an answer that is what the client came for.
func (c *conn) respondLocally(a *plugins.Answer) {
	s := c.s
	if s.location == nil {
		return
	}
	s.ex.Response.BodyLength = lengthOf(a)
	c.responders()
	s.ex.Status = s.ex.Response.Status
	if s.server.ServerTiming {
		s.addServerTiming(message.Now())
	}
	if hasBody(s.ex.Status) {
		s.chooseFilters(localFrame(a))
	}
}

// hasBody reports whether responses with a status have a body.
func hasBody(status int) bool { return status >= 200 && status != 204 && status != 304 }

// lengthOf is the length of an answer's body in bytes, or message.LengthUnknown.
func lengthOf(a *plugins.Answer) int64 {
	switch {
	case a.File != nil:
		return a.File.Length
	case a.Stream != nil:
		return a.Stream.Length()
	}
	return int64(len(a.Body))
}

// localFrame is the framing that the answer would have had it come from an upstream.
func localFrame(a *plugins.Answer) http1.Framing {
	n := lengthOf(a)
	return http1.Framing{Length: n, UntilClose: n == message.LengthUnknown}
}

// sendContent sends an answer with its body, piece by piece.
func (c *conn) sendContent(resp *message.Response, a *plugins.Answer) {
	s, r := c.s, &c.s.resp
	s.ended = 0 // what follows may take long
	c.completeHead(resp)
	r.frame = localFrame(a)
	c.prepareHead(c.frameLocal(r.frame))
	s.headSent, r.headOnly = true, true
	err := c.sendBody(a)
	c.endFilters()
	if err != nil {
		c.contentFailed(err)
	}
}

// frameLocal is frameFor for an answer of a plugin.
func (c *conn) frameLocal(frame http1.Framing) http1.Out {
	s := c.s
	c.noteLong(frame)
	out := c.outFor(frame)
	out.KeepLength = false
	if s.ex.Request.MethodID == message.HEAD && hasBody(s.ex.Status) && s.resp.changes == 0 {
		out.Length = frame.Length
	}
	return out
}

// sendBody sends the body of an answer behind the head, and ends it.
func (c *conn) sendBody(a *plugins.Answer) error {
	r := &c.s.resp
	if r.mode != relayNone {
		var err error
		switch {
		case a.File != nil:
			err = c.sendFile(a.File)
		case a.Stream != nil:
			err = c.sendStream(a.Stream)
		default:
			err = c.passPiece(a.Body)
		}
		if err != nil {
			return err
		}
	}
	r.whole = true
	switch {
	case r.mode == relayDecoded:
		return c.relayEnd()
	case r.headOnly:
		return c.emit(nil)
	}
	return nil
}

// passPiece passes bytes of the body of an answer on.
func (c *conn) passPiece(p []byte) error {
	r := &c.s.resp
	if c.cutting() && !(r.parts.Known() && c.polite()) {
		return errStopping
	}
	if !r.frame.UntilClose {
		if int64(len(p)) > r.left {
			return &sourceError{io.ErrShortBuffer} // it gives more than it said
		}
		r.left -= int64(len(p))
	}
	if r.mode == relayLength {
		return c.emit(p)
	}
	return c.filter(p)
}

// sendStream sends a body that is still being made.
func (c *conn) sendStream(body plugins.Stream) error {
	r := &c.s.resp
	readier, tells := body.(plugins.Readier)
	c.busy()
	for {
		if !tells || !readier.Ready() {
			if err := c.beforeWait(); err != nil {
				return err
			}
		}
		p, err := body.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return &sourceError{err}
		}
		if err := c.passPiece(p); err != nil {
			return err
		}
	}
	if !r.frame.UntilClose && r.left > 0 {
		return &sourceError{io.ErrUnexpectedEOF}
	}
	return nil
}

// beforeWait sends what has been held back.
func (c *conn) beforeWait() error {
	r := &c.s.resp
	switch {
	case r.flushes:
		return c.flush()
	case r.headOnly && !r.complete():
		return c.emit(nil)
	}
	return nil
}

// errStopping ends an answer because the time of the connection is up.
var errStopping = errors.New("the time of the connection is up")

// sourceError is why the body of an answer could not be had.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "body of an answer: " + e.err.Error() }

func (e *sourceError) Unwrap() error { return e.err }

// contentFailed ends an answer that could not be sent whole. Where nothing of it went out, an error does in its place.
func (c *conn) contentFailed(err error) {
	s, r := c.s, &c.s.resp
	status, kind := 500, "InternalError"
	var source *sourceError
	switch {
	case errors.Is(err, errStopping):
		status, kind = 503, "Stopping"
	case errors.Is(err, errFilter):
		kind = "InvalidBody"
	case errors.As(err, &source):
		kind = "ReadError"
		c.p.log.Warn("answer cut off", zap.String("location", s.ex.Location), zap.Error(err))
	default:
		s.clientGone = true
	}
	if r.headOnly && !s.clientGone {
		r.headOnly, s.headSent = false, false
	}
	c.answerError(status, kind, "")
}
