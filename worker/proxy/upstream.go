package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/http2/client"
	"pingap/worker/rawio"
	"pingap/worker/secure"
	"pingap/worker/upstream"
)

// stage is how far the exchange with an upstream has come.
type stage uint8

const (
	stageSend stage = iota // the request is to be written
	stageHead              // the response head is awaited
	stageBody              // the response body is awaited
)

// want is what the callback leaves to be done outside it.
type want uint8

const (
	wantMore   want = iota // wait and call again
	wantWrite              // the socket did not take the whole request
	wantSplice             // the rest of the body can be spliced
	wantTunnel             // the upstream has switched protocols
	wantDone               // the response is complete
	wantFail               // see upstreamIO.failure
)

// maxInterim bounds the interim responses before the final one.
const maxInterim = 32

// upstreamIO is the engine's side of an upstream connection, and lives as long as that, or of a stream on a shared one
// (upstreamstream.go), for one exchange.
type upstreamIO struct {
	conn   *upstream.Conn
	fn     func(fd uintptr) bool // onReady, bound once
	stream *client.Stream        // nil for a connection

	// of the exchange in progress
	c       *conn
	stage   stage
	want    want
	fail    failure
	rest    [2][]byte // of the request, after wantWrite
	buf     *[upRoom + upSize]byte
	r, w    int             // buf[r:w] is unread
	scan    http1.Scan      // of the head that is coming
	body    *[bodySize]byte // for the rest of the response body
	interim int
	sent    int64  // when the request had been written
	extra   bool   // bytes came behind the response
	first   []byte // of the body on a stream, which came with the head
	timeout time.Duration
}

// ioOf returns the engine's side of a connection, made when it is first used.
func ioOf(conn *upstream.Conn) *upstreamIO {
	if up, ok := conn.Attachment.(*upstreamIO); ok {
		return up
	}
	up := &upstreamIO{conn: conn}
	up.fn = up.onReady
	conn.Attachment = up
	return up
}

// begin prepares for an exchange on behalf of c at now.
func (up *upstreamIO) begin(c *conn, first stage, timeout time.Duration, now int64) {
	up.c, up.stage, up.want, up.fail, up.timeout = c, first, wantMore, failure{}, timeout
	up.r, up.w, up.interim, up.extra = upRoom, upRoom, 0, false
	up.scan = http1.Scan{}
	up.rest = [2][]byte{}
	up.sent = now
}

// end gives the buffers back.
func (up *upstreamIO) end() {
	if up.c == nil {
		return
	}
	pools := &up.c.p.pools
	if up.buf != nil {
		pools.up.Put(up.buf)
	}
	if up.body != nil {
		pools.body.Put(up.body)
	}
	up.c, up.buf, up.body, up.rest = nil, nil, nil, [2][]byte{}
}

// discard ends the exchange and closes the connection.
func (up *upstreamIO) discard() {
	pools := &up.c.p.pools
	up.end()
	if up.stream != nil {
		up.endStream(pools)
		return
	}
	up.conn.Discard()
}

// net is what bytes of a body or a tunnel go over.
func (up *upstreamIO) net() net.Conn {
	if up.stream != nil {
		return up.stream
	}
	return up.conn
}

// readNow reads what is at hand on the upstream's socket, inside its callback.
func (up *upstreamIO) readNow(fd uintptr, buf []byte) (int, syscall.Errno) {
	t := up.conn.Secure
	if t == nil {
		return rawio.Read(fd, buf)
	}
	n, err := t.ReadNow(fd, buf)
	switch {
	case n > 0 || err == nil || err == io.EOF:
		return n, 0
	case err == io.ErrUnexpectedEOF:
		// A FIN without close_notify. It ends what is complete by itself, an idle connection among them, but not a body
		// that nothing but the end delimits (RFC 9112 section 9.8).
		if up.stage != stageBody || !up.c.s.resp.frame.UntilClose {
			return 0, 0
		}
	}
	return 0, errnoOf(err)
}

// errnoOf makes an error of a TLS connection that of a socket.
func errnoOf(err error) syscall.Errno {
	if errors.Is(err, secure.ErrAgain) {
		return syscall.EAGAIN
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EPROTO
}

// onReady is the callback of RawConn.Read on the upstream's socket.
func (up *upstreamIO) onReady(fd uintptr) bool {
	if up.stage == stageSend {
		if up.send(fd) {
			return true
		}
		if up.conn.Uses > 0 {
			return false
		}
		// On a new connection an answer may have come before the request, and its edge is gone: read.
	}
	for {
		buf := up.space()
		n, errno := up.readNow(fd, buf)
		switch {
		case errno == syscall.EAGAIN:
			if up.stage == stageBody && up.paused() {
				return true
			}
			up.c.await(message.Now(), up)
			return false
		case errno != 0:
			return up.failed(502, errnoType(errno))
		case n == 0:
			return up.atEnd()
		}
		if up.take(buf[:n]) {
			return true
		}
	}
}

// send writes the request: head and body as one message. The wait for the answer is registered
// already, so no answer can be missed.
func (up *upstreamIO) send(fd uintptr) bool {
	s := up.c.s
	if up.conn.Secure != nil {
		return up.sendSecure(fd)
	}
	n, errno := rawio.Write2(fd, s.out, s.reqBody)
	if errno == syscall.EAGAIN {
		n, errno = 0, 0
	}
	if errno != 0 {
		up.failed(502, errnoType(errno))
		up.fail.unanswered, up.fail.unsent = true, true
		return true
	}
	up.stage = stageHead
	up.rest = [2][]byte{s.out[min(n, len(s.out)):], s.reqBody[max(0, n-len(s.out)):]}
	if len(up.rest[0])+len(up.rest[1]) > 0 {
		up.want = wantWrite
		return true
	}
	return false
}

// sendSecure is send over TLS, which takes the whole request, or fails.
func (up *upstreamIO) sendSecure(fd uintptr) bool {
	s := up.c.s
	if err := up.conn.Secure.WriteNow(fd, s.out, s.reqBody); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return up.failed(504, "WriteTimedout")
		}
		up.failed(502, "WriteError")
		up.fail.unanswered, up.fail.unsent = true, !up.conn.Secure.Took()
		return true
	}
	up.stage = stageHead
	return false
}

// space is where the next bytes go.
func (up *upstreamIO) space() []byte {
	if up.stage == stageBody {
		if up.body == nil {
			up.body = up.c.p.pools.bodyBuffer()
		}
		return up.body[:]
	}
	if up.buf == nil {
		up.buf = up.c.p.pools.upBuffer()
	}
	return up.buf[up.w:]
}

// take handles bytes from the upstream, and reports whether the callback is to be left.
func (up *upstreamIO) take(p []byte) bool {
	if up.stage == stageHead {
		up.w += len(p)
		return up.takeHead()
	}
	return up.takeBody(p)
}

// takeHead reads response heads from the buffer: interim ones are passed on, the final one begins the
// response to the client.
func (up *upstreamIO) takeHead() bool {
	s := up.c.s
	resp := &s.ex.Response
	limits := http1.Limits{Head: upSize, Fields: maxResponseFields}
	ask := http1.Ask{Head: s.ex.Request.MethodID == message.HEAD, Upgrade: s.reqFrame.Upgrade}
	for {
		if !up.scan.Ready(up.buf[up.r:up.w], upSize) {
			return up.compact()
		}
		resp.Reset()
		n, frame, err := http1.ParseResponse(up.unread(), resp, &limits, ask)
		if err != nil {
			return up.failed(502, "InvalidHTTPHeader")
		}
		if n == 0 {
			resp.Reset()
			return up.compact()
		}
		up.moveHead(n)
		up.r += n
		up.scan = http1.Scan{}
		if resp.Status >= 200 || resp.Status == 101 {
			return up.c.respond(up, frame)
		}
		if up.interim++; up.interim > maxInterim {
			return up.failed(502, "InvalidHTTPHeader")
		}
		if !up.c.passInterim() {
			return up.clientGone()
		}
	}
}

// frontMin is how much of a body makes it worth to move the head away from in front of it.
const frontMin = 4 << 10

// moveHead moves the head of n bytes that was parsed out of the buffer, if much of a body is behind it. Then nothing refers to
// the buffer in front of the body any more, and the head for the client can be written there, which spares a copy of the body.
func (up *upstreamIO) moveHead(n int) {
	r := &up.c.s.resp
	r.front = nil
	if head := up.unread()[:n]; up.w-up.r >= frontMin {
		r.head = append(r.head[:0], head...)
		up.c.s.ex.Response.Move(head, r.head)
		r.front = up.buf[:up.r+n]
	}
}

// compact makes room behind an incomplete head by moving it to the front, where interim responses
// were. It returns false, for the callback.
func (up *upstreamIO) compact() bool {
	if up.r > upRoom && up.w == len(up.buf) {
		up.w = upRoom + copy(up.buf[upRoom:], up.buf[up.r:up.w])
		up.r = upRoom
	}
	return false
}

// maxResponseFields bounds the fields of a response head; its size is bounded by upSize.
const maxResponseFields = 256

// takeBody passes bytes of the body on.
func (up *upstreamIO) takeBody(p []byte) bool {
	c := up.c
	r := &c.s.resp
	if c.cutting() && !(r.parts.Known() && c.polite()) {
		return up.failed(503, "Stopping")
	}
	done, err := c.relay(up, p)
	switch {
	case err != nil:
		return up.relayFailed(err)
	case done:
		up.want = wantDone
		return true
	}
	if r.parts.Between() && c.cutting() {
		return c.endBetween(up)
	}
	if c.mayHandOver(up) {
		up.want = wantSplice
		return true
	}
	return false
}

// atEnd handles the end of the upstream's stream.
func (up *upstreamIO) atEnd() bool {
	c := up.c
	if up.stage == stageHead {
		up.failed(502, "ConnectionClosed")
		up.fail.unanswered = up.w == upRoom && up.interim == 0
		return true
	}
	if !c.s.resp.frame.UntilClose {
		return up.failed(502, "ConnectionClosed")
	}
	c.s.resp.whole = true
	if err := c.relayEnd(); err != nil {
		return up.relayFailed(err)
	}
	up.want = wantDone
	return true
}

// failed notes a failure; it returns true, for the callback.
func (up *upstreamIO) failed(status int, kind string) bool {
	up.want, up.fail = wantFail, failure{status: status, kind: kind}
	up.fail.silent = up.stage != stageBody && up.w == upRoom && up.interim == 0 && kind != "InvalidHTTPHeader"
	if r := &up.c.s.resp; r.headOnly { // the head was made but has not gone out: an error page can still be sent
		r.headOnly, up.c.s.headSent = false, false
	}
	if kind == "ConnectionReset" {
		up.fail.unanswered = up.stage == stageHead && up.fail.silent
	}
	return true
}

// clientGone notes that the client does not take the answer.
func (up *upstreamIO) clientGone() bool {
	up.c.s.clientGone = true
	return up.failed(499, "ConnectionClosed")
}

// errnoType names a socket error as X-Pingap-EType does.
func errnoType(errno syscall.Errno) string {
	switch errno {
	case syscall.ECONNRESET, syscall.EPIPE:
		return "ConnectionReset"
	case syscall.ETIMEDOUT:
		return "ReadTimedout"
	}
	return "ReadError"
}
