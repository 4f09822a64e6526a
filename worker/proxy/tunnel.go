package proxy

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"pingap/message"
	"pingap/worker/http1"
)

// respondTunnel passes "101 Switching Protocols" on; the connections are a tunnel then (RFC 9110
// section 7.8). While the request's body is still going up there can be none: its rest would be taken
// for bytes of the other protocol. It returns true, for the callback.
func (c *conn) respondTunnel(up *upstreamIO) bool {
	s := c.s
	if !s.resp.frame.Upgrade || !c.uploadComplete() {
		return up.failed(502, "InvalidHTTPHeader")
	}
	out := http1.Out{Length: message.LengthUnknown, Upgrade: true}
	s.out = http1.AppendResponse(s.out[:0], &s.ex.Response, out)
	s.headSent = true
	if c.write(s.out) != nil {
		return up.clientGone()
	}
	up.want = wantTunnel
	return true
}

// tunnel copies bytes both ways until both sides have ended, one has failed, or both were silent for
// the location's limit. The end of one side is passed on as the end of that direction alone.
type tunnel struct {
	p    *Proxy
	idle time.Duration
	last atomic.Int64 // when bytes last passed, on the clock of message.Now
	cut  atomic.Bool  // both directions are to end
}

// tunnel runs the connection as a tunnel until it ends. It owns both connections.
func (c *conn) tunnel() {
	s, up := c.s, c.tunnelUp
	c.tunnelUp = nil
	c.p.tunnels.Add(1)
	defer c.p.tunnels.Add(-1)
	_ = up.conn.SetReadDeadline(time.Time{}) // errors show at the reads below
	_ = c.net.SetReadDeadline(time.Time{})
	t := &tunnel{p: c.p, idle: s.location.TunnelIdle}
	c.busy()
	t.last.Store(message.Now())
	down := make(chan int64, 1)
	go func() { // ends with its connections, which either direction may cut
		down <- t.copy(c, c.net, up.conn.Conn, up.buf[up.r:up.w])
	}()
	s.ex.RequestBody += t.copy(c, up.conn.Conn, c.net, s.unread())
	s.ex.ResponseBody += <-down
	s.r = s.w
	s.ex.UpstreamResponse = message.Now() - up.sent - max(s.ex.UpstreamProcessing, 0)
	up.discard()
	s.ended = 0
	s.keepClient = false
	c.finish()
}

// copy sends first, and then what from sends, to to. It returns the number of bytes.
func (t *tunnel) copy(c *conn, to, from net.Conn, first []byte) int64 {
	total, ok := int64(len(first)), true
	if len(first) > 0 {
		ok = t.send(to, first)
	}
	buf := c.p.pools.bodyBuffer()
	defer c.p.pools.body.Put(buf)
	for ok {
		n, err := t.read(from, buf[:])
		if n > 0 {
			total += int64(n)
			ok = t.send(to, buf[:n])
		}
		if err != nil {
			if half, can := to.(interface{ CloseWrite() error }); can && !errors.Is(err, os.ErrDeadlineExceeded) && half.CloseWrite() == nil {
				return total
			}
			ok = false
		}
	}
	// Cut both directions: the other one would never learn of it.
	t.cut.Store(true)
	_ = from.SetDeadline(past)
	_ = to.SetDeadline(past)
	return total
}

// read reads from one side. It gives up when nothing has passed either way for the limit.
func (t *tunnel) read(from net.Conn, buf []byte) (int, error) {
	for {
		now := message.Now()
		left := t.idle - time.Duration(now-t.last.Load())
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		if err := from.SetReadDeadline(time.Now().Add(left)); err != nil {
			return 0, err
		}
		if t.cut.Load() || t.p.cutting.Load() { // after the deadline was set, so that a cut after this is seen by Read
			return 0, os.ErrDeadlineExceeded
		}
		n, err := from.Read(buf)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.last.Store(message.Now())
			return n, err
		}
	}
}

func (t *tunnel) send(to net.Conn, b []byte) bool {
	if to.SetWriteDeadline(time.Now().Add(t.idle)) != nil {
		return false
	}
	_, err := to.Write(b)
	return err == nil
}
