package proxy

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"pingap/message"
	"pingap/worker/drain"
)

// next is what a connection does after its callback, or after a request.
type next uint8

const (
	nextRequest next = iota // wait for or go on with the next request
	nextClose               // close the connection
	nextOutside             // the request in the session must be served outside the callback
	nextTunnel              // the connection is a tunnel now
	nextSwitch              // the connection has another callback now
)

// conn is a client's connection, or a stream of an HTTP/2 connection (stream.go). It stays small: everything that only a request
// needs is in the session.
type conn struct {
	p    *Proxy
	net  net.Conn
	raw  syscall.RawConn       // of the socket; nil for a stream
	fn   func(fd uintptr) bool // onReadable, bound once
	via  *via                  // what it is beyond HTTP/1 in the clear, nil for that; written under wait.mu
	info message.Conn
	wait wait

	// links of the proxy's list, guarded by its mutex
	before, after *conn

	s        *session
	long     atomic.Pointer[Location] // that of a tunnel, event stream or long download; nil for none of these
	cutAt    atomic.Uint32            // when the connection was to be cut, in ms on the clock of message.Now, and
	cutWhy   atomic.Uint32            // why: a drain.Why
	end      drain.End                // how it ended, while draining
	server   int32                    // index into Site.Servers
	parkedFD int32                    // descriptor in the parking set, -1 outside; guarded by its mutex
	next     next
	partial  bool // the buffered bytes are an incomplete head
	linger   bool // bytes of the client may be unread: close so that it still reads the answer
}

// Serve serves a connection accepted on the listener with the given index until it ends or is
// parked. It owns c.
func (p *Proxy) Serve(c net.Conn, server int) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		c.Close()
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		c.Close()
		return
	}
	now := message.Now()
	k := &conn{p: p, net: c, raw: raw, server: int32(server), parkedFD: -1}
	k.fn = k.onReadable
	k.info.ID = p.ids.Add(1)
	k.info.Opened = now
	setAddresses(&k.info, c)
	k.busy()
	p.add(k)
	if !k.prepare(p.server(k.server)) {
		k.close()
		return
	}
	k.wait.enter(phaseIdle, message.Now(), p.firstTimeout(k.server), k)
	k.serve()
}

// prepare does what comes before the first request: the PROXY protocol's header, and the TLS handshake. It blocks.
func (c *conn) prepare(s *Server) bool {
	if s == nil {
		return true
	}
	if s.ProxyProtocol != nil && !c.readProxyHeader(s) || s.TLS != nil && !c.secure(s) {
		return false
	}
	return true
}

// setAddresses notes the two ends of a connection.
func setAddresses(info *message.Conn, c net.Conn) {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		info.Remote = a.AddrPort()
		info.RemoteText = info.Remote.Addr().Unmap().AppendTo(nil)
	} else {
		info.RemoteText = []byte("unix:")
	}
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok {
		info.Local = message.EndpointOf(a.AddrPort())
	}
}

// Run implements routines.Task.
func (c *conn) Run() { c.serve() }

// serve is the connection's goroutine. It ends when the connection is closed or parked.
func (c *conn) serve() {
	for {
		c.next = nextRequest
		if err := c.raw.Read(c.fn); err != nil {
			if c.afterError(err) {
				continue
			}
			return
		}
		for c.next == nextOutside {
			c.next = c.process()
		}
		switch c.next {
		case nextTunnel:
			c.tunnel()
			c.close()
			return
		case nextClose:
			c.close()
			return
		}
	}
}

// afterError decides what an interrupted wait for the client means: it reports whether to go on. If
// not, the connection has been closed or parked.
func (c *conn) afterError(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.close()
		return false
	}
	if m := c.mux(); m != nil && m.broken.Load() {
		c.linger = true // so that the client reads the GOAWAY
		c.close()
		return false
	}
	why := c.wait.peek()
	switch why {
	case causePark:
		if c.s == nil && c.p.park(c) {
			return false
		}
	case causeTimeout:
		if c.s == nil && !c.cutting() && c.readable() {
			break // a request came in the last moment: it is served
		}
		c.end = drain.Idle
		if c.s != nil && c.partial {
			c.timeoutHead()
		}
		c.linger = c.linger || c.mux() != nil // it may be sending a window update, for an answer that it has not read yet
		c.close()
		return false
	}
	// Interrupted in a phase that was over already: go on.
	if c.net.SetReadDeadline(time.Time{}) != nil {
		c.close()
		return false
	}
	switch m := c.mux(); {
	case m != nil:
		m.settle()
	case why != causeNone:
		c.idle(message.Now())
	}
	return true
}

// onReadable is the callback of RawConn.Read: it serves what is buffered, then reads until the
// socket is drained. It returns false to wait for more, true when the connection must leave it.
func (c *conn) onReadable(fd uintptr) bool {
	defer c.outside()
	for drained, empty := false, false; ; {
		for c.s != nil && c.s.r < c.s.w && !c.partial {
			c.s.fd = fd
			if c.next = c.advance(); c.next != nextRequest {
				return true
			}
		}
		// With an incomplete head a FIN may have come, and raise no edge of its own: read on.
		if empty || drained && !c.partial {
			c.release()
			return false
		}
		open := false
		if drained, empty, open = c.fill(fd); !open {
			c.next = nextClose
			return true
		}
	}
}

// outside notes that the callback is left.
func (c *conn) outside() {
	if c.s != nil {
		c.s.fd = 0
	}
}

// fill reads once. drained tells that no more bytes can be read before the socket has raised another
// edge, empty that there was nothing at all, not even an end; open is false at the end of the stream.
func (c *conn) fill(fd uintptr) (drained, empty, open bool) {
	if c.s == nil {
		c.s = c.p.pools.session()
		c.s.ex.Conn = &c.info
	}
	buf := c.s.space(c.p.headMax(c.server))
	if buf == nil { // cannot happen: a head this long has been refused
		return false, false, false
	}
	n, err := c.readNow(fd, buf)
	switch {
	case err == syscall.EAGAIN:
		return true, true, true
	case err != nil || n == 0:
		return false, false, false
	}
	if c.s.r == c.s.w || c.s.ex.Start == 0 {
		c.s.ex.Start = message.Now()
	}
	c.s.w += n
	c.partial = false
	return c.socketDrained(n, len(buf)), false, true
}

// release gives the session back while the connection has nothing buffered.
func (c *conn) release() {
	if c.s != nil && c.s.r == c.s.w {
		c.p.pools.putSession(c.s)
		c.s = nil
	}
}

// enter begins a phase. If the phase before it was interrupted while it was over already, the
// client's read deadline is put right.
func (c *conn) enter(p phase, now int64, limit time.Duration, target peer) {
	if c.wait.enter(p, now, limit, target) != causeNone {
		_ = c.net.SetReadDeadline(time.Time{}) // an error shows at the next read
	}
}

// await begins the wait for the upstream, which ends with the patience of a call at the latest.
func (c *conn) await(now int64, up *upstreamIO) {
	limit := up.timeout
	if until := c.s.call.until; until != 0 {
		left := time.Duration(max(until-now, 1))
		if limit <= 0 || left < limit {
			limit = left
		}
	}
	c.enter(phaseUpstream, now, limit, up)
}

// busy ends a wait for the client.
func (c *conn) busy() { c.enter(phaseBusy, 0, 0, c) }

// idle begins the wait for the next request.
func (c *conn) idle(now int64) { c.enter(phaseIdle, now, c.p.keepAlive(c.server), c) }

// close ends the connection and gives everything back.
func (c *conn) close() {
	if m := c.mux(); m != nil {
		m.close()
	}
	if c.p.draining.Load() != nil {
		c.noteClosed()
	}
	if c.linger {
		c.p.lingering.Add(1)
		defer c.p.lingered()
	}
	c.p.remove(c)
	if c.linger {
		c.lingerClose()
	}
	c.net.Close()
	if c.s != nil {
		c.s.reset()
		c.p.pools.putSession(c.s)
		c.s = nil
	}
}

const (
	// lingerBytes and lingerTime bound what is read and thrown away after the last answer.
	lingerBytes = 256 << 10
	lingerTime  = 2 * time.Second
)

// lingerClose ends the sending side and reads for a moment what the client is still sending. To close
// with unread bytes would reset the connection, and the reset can destroy the answer before the
// client has read it (RFC 9112 section 9.6).
func (c *conn) lingerClose() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.net.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	buf := make([]byte, 4<<10) // many may be led away at once
	for total := 0; total < lingerBytes; {
		n, err := c.net.Read(buf)
		if err != nil {
			return
		}
		total += n
	}
}

// write sends b to the client: at once inside the callback, by the ordinary way outside it or where
// the socket is full.
func (c *conn) write(b []byte) error {
	if c.via != nil && c.via.tls != nil {
		return c.via.tls.WriteNow(c.s.fd, b)
	}
	if c.s.fd != 0 {
		n, errno := rawWrite(c.s.fd, b)
		if errno != 0 && errno != syscall.EAGAIN {
			return errno
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
	return c.writeSlow(b)
}

// write2 sends a and b as one message.
func (c *conn) write2(a, b []byte) error {
	if c.via != nil && c.via.tls != nil {
		return c.via.tls.WriteNow(c.s.fd, a, b)
	}
	if c.s.fd != 0 {
		n, errno := rawWrite2(c.s.fd, a, b)
		if errno != 0 && errno != syscall.EAGAIN {
			return errno
		}
		if n >= len(a) {
			return c.rest(b[n-len(a):])
		}
		a = a[n:]
	}
	if err := c.writeSlow(a); err != nil {
		return err
	}
	return c.rest(b)
}

func (c *conn) rest(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return c.writeSlow(b)
}

// writeSlow waits for the client to take b.
func (c *conn) writeSlow(b []byte) error {
	limit := c.p.writeTimeout(c.server)
	if err := c.net.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := c.net.Write(b)
	return err
}
