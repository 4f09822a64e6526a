package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/http2/client"
	"pingap/worker/websocket"
)

// An exchange on a stream of an HTTP/2 connection to the upstream. The stages are those of upstream.go; what the callback does
// there is done by blocking calls here: the goroutine that reads the shared connection wakes them.

// wait does what is to be done next on the upstream's side, and waits for it.
func (up *upstreamIO) wait() error {
	switch {
	case up.stream == nil:
		return up.conn.Raw.Read(up.fn)
	case up.stage == stageBody:
		return up.readStream()
	}
	return up.readStreamHead()
}

// readStreamHead takes one response head.
func (up *upstreamIO) readStreamHead() error {
	c, s := up.c, up.c.s
	resp := &s.ex.Response
	resp.Reset()
	mem, final, err := up.stream.Head(resp, s.resp.head)
	s.resp.head = mem
	if err != nil {
		return up.streamFailed(err)
	}
	resp.Reason = http1.Reason(resp.Status) // HTTP/2 has none, and some clients of HTTP/1 take an empty one badly
	if final {
		return up.takeStreamHead()
	}
	if up.interim++; up.interim > maxInterim {
		up.failed(502, "InvalidHTTPHeader")
	} else if !c.passInterim() {
		up.clientGone()
	}
	return nil
}

// takeStreamHead begins the response, with what has come of its body.
func (up *upstreamIO) takeStreamHead() error {
	c, s := up.c, up.c.s
	resp := &s.ex.Response
	if s.reqFrame.Upgrade && resp.Status == 200 {
		c.switchStream(up)
		return nil
	}
	frame := http1.Framing{Length: resp.BodyLength, KeepAlive: true, UntilClose: resp.BodyLength == message.LengthUnknown}
	n, whole := up.stream.Buffered()
	if n > 0 {
		first, err := up.stream.Next()
		if err != nil {
			return up.streamFailed(err)
		}
		up.first = first
	}
	if whole && n == len(up.first) && up.stream.Trailers().Len() == 0 && s.call.kind != callWeb {
		frame.Length, frame.UntilClose = int64(n), false
	}
	c.respond(up, frame)
	return nil
}

// unread is what came behind the head and has not been passed on.
func (up *upstreamIO) unread() []byte {
	switch {
	case up.stream != nil:
		return up.first
	case up.buf == nil:
		return nil
	}
	return up.buf[up.r:up.w]
}

// readStream passes the next bytes of the body on.
func (up *upstreamIO) readStream() error {
	if n, whole := up.stream.Buffered(); n == 0 && !whole && up.paused() {
		return nil
	}
	p, err := up.stream.Next()
	switch {
	case err == nil:
		if !up.takeBody(p) {
			up.c.await(message.Now(), up)
		}
	case errors.Is(err, io.EOF):
		up.atEnd()
	default:
		return up.streamFailed(err)
	}
	return nil
}

// streamFailed handles an error of the stream: an interruption is returned, for interrupted.
func (up *upstreamIO) streamFailed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	early := up.stage == stageHead && up.interim == 0
	up.failed(streamFailure(err))
	up.fail.unsent = early && up.stream.Unprocessed()
	up.fail.unanswered = early
	return nil
}

// streamFailure says how to answer a stream that ended early.
func streamFailure(err error) (status int, kind string) {
	var e *client.Error
	if !errors.As(err, &e) {
		return 502, "ReadError"
	}
	switch e.Cause {
	case client.Malformed, client.TooLarge:
		return 502, "InvalidHTTPHeader"
	case client.Silent:
		return 504, "ReadTimedout"
	case client.Broken:
		return 502, "InvalidH2"
	case client.Reset:
		return 502, "H2Error"
	}
	return 502, "ConnectionClosed"
}

// retireStream ends the exchange. A stream whose response was passed on whole is given time to end by itself, so that the
// upstream does not see a reset.
func (c *conn) retireStream(up *upstreamIO) {
	st := up.stream
	if up.want == wantDone && !up.extra {
		c.uploadComplete() // else it is cut off below
		if _, whole := st.Buffered(); !whole && st.SetReadDeadline(time.Now().Add(lastWait)) == nil {
			_, _ = st.Next() // anything but the end is cut off below
		}
	}
	c.stopUpload()
	up.discard()
}

// endStream gives the stream back; one that has not ended both ways is reset.
func (up *upstreamIO) endStream(pools *buffers) {
	up.stream.Release()
	*up = upstreamIO{}
	pools.ups.Put(up)
}

// switchStream takes the answer to an extended CONNECT: the stream is a tunnel then (RFC 8441 section 5).
func (c *conn) switchStream(up *upstreamIO) {
	s := c.s
	resp := &s.ex.Response
	now := message.Now()
	s.ex.UpstreamProcessing, s.ex.UpstreamStatus = now-up.sent, resp.Status
	resp.Status, resp.Reason = 101, http1.Reason(101)
	s.resp.frame.Upgrade = true
	if c.stream() == nil { // what a client of HTTP/1 is to see (RFC 6455 section 4.2.2)
		resp.Fields.Append(message.Upgrade, []byte("Upgrade"), []byte("websocket"))
		key, _ := s.ex.Request.Fields.Lookup("sec-websocket-key")
		resp.Fields.Append(message.Unknown, []byte("Sec-WebSocket-Accept"), websocket.AppendAccept(nil, key))
	}
	c.upstreamResponders()
	c.responders()
	s.ex.Status = s.ex.Response.Status
	c.respondTunnel(up)
}

// tunnelled is the upstream's end of a tunnel.
func (up *upstreamIO) tunnelled() net.Conn {
	if up.stream != nil {
		return up.stream
	}
	return up.conn.Conn
}
