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
	s := up.c.s
	resp := &s.ex.Response
	resp.Reset()
	final, err := up.stream.Head(resp)
	if err != nil {
		return up.streamFailed(err)
	}
	if !final {
		if up.interim++; up.interim > maxInterim {
			up.failed(502, "InvalidHTTPHeader")
		} else if !up.c.passInterim() {
			up.clientGone()
		}
		return nil
	}
	frame := http1.Framing{Length: resp.BodyLength, KeepAlive: true, UntilClose: resp.BodyLength == message.LengthUnknown}
	if s.reqFrame.Upgrade && resp.Status == 200 {
		up.c.switchStream(up)
		return nil
	}
	if up.stream.Ended() {
		frame.Length, frame.UntilClose = 0, false
	}
	if up.stream.Buffered() > 0 { // goes out with the head
		n, err := up.stream.Read(up.space())
		up.w += n
		if err != nil && !errors.Is(err, io.EOF) {
			return up.streamFailed(err)
		}
	}
	up.c.respond(up, frame)
	return nil
}

// unread is what came behind the head and has not been passed on.
func (up *upstreamIO) unread() []byte {
	if up.buf == nil {
		return nil
	}
	return up.buf[up.r:up.w]
}

// readStream passes the next bytes of the body on.
func (up *upstreamIO) readStream() error {
	buf := up.space()
	n, err := up.stream.Read(buf)
	if n > 0 {
		if up.takeBody(buf[:n]) {
			return nil
		}
		up.c.enter(phaseUpstream, message.Now(), up.timeout, up)
	}
	switch {
	case err == nil:
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
	kind := "ConnectionClosed"
	var reset *client.StreamError
	if errors.As(err, &reset) {
		kind = "H2Error"
	}
	stage := up.stage
	up.failed(502, kind)
	up.fail.unsent = up.stream.Unprocessed()
	up.fail.unanswered = stage == stageHead && up.interim == 0
	return nil
}

// lastWait is how long a stream may take to end after the announced length of its body.
const lastWait = time.Second

// retireStream ends the exchange. A stream whose response was passed on whole is given time to end by itself, so that the
// upstream does not see a reset.
func (c *conn) retireStream(up *upstreamIO) {
	st := up.stream
	if up.want == wantDone && !st.Ended() && !up.extra {
		var rest [1]byte
		if st.SetReadDeadline(time.Now().Add(lastWait)) == nil {
			_, _ = st.Read(rest[:]) // anything but the end is cut off below
		}
	}
	c.stopUpload()
	up.discard()
}

// endStream gives the stream back; one that has not ended both ways is reset.
func (up *upstreamIO) endStream() {
	up.stream.Close()
	up.stream = nil
}

// switchStream takes the answer to an extended CONNECT: the stream is a tunnel then (RFC 8441 section 5).
func (c *conn) switchStream(up *upstreamIO) {
	s := c.s
	resp := &s.ex.Response
	now := message.Now()
	s.ex.UpstreamProcessing, s.ex.UpstreamStatus = now-up.sent, resp.Status
	resp.Status, resp.Reason = 101, http1.Reason(101)
	s.resp.frame.Upgrade = true
	if c.stream() == nil { // what an HTTP/1 client is to see (RFC 6455 section 4.2.2)
		resp.Fields.Append(message.Upgrade, []byte("Upgrade"), []byte("websocket"))
		key, _ := s.ex.Request.Fields.Lookup("sec-websocket-key")
		resp.Fields.Append(message.Unknown, []byte("Sec-WebSocket-Accept"), websocket.AppendAccept(nil, key))
	}
	s.upstreamSteps()
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
