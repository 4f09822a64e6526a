package proxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"pingap/message"
	"pingap/worker/http1"
	"pingap/worker/websocket"
)

// respondTunnel passes "101 Switching Protocols" on; the connections are a tunnel then (RFC 9110
// section 7.8). While the request's body is still going up there can be none: its rest would be taken
// for bytes of the other protocol. It returns true, for the callback.
func (c *conn) respondTunnel(up *upstreamIO) bool {
	s := c.s
	if !s.resp.frame.Upgrade || !c.uploadComplete() {
		return up.failed(502, "InvalidHTTPHeader")
	}
	c.prepareHead(http1.Out{Length: message.LengthUnknown, Upgrade: true})
	if c.stream() != nil && !c.acceptStream() {
		return up.failed(502, "InvalidHTTPHeader")
	}
	s.headSent = true
	if c.sendHead(nil, false) != nil {
		return up.clientGone()
	}
	up.want = wantTunnel
	return true
}

// tunnel copies bytes both ways until both sides have ended, one has failed, or both were silent for
// the location's limit. The end of one side is passed on as the end of that direction alone.
//
// When its time is up while the worker drains, each direction ends for itself: that of a WebSocket between two frames,
// with a Close frame of our own, if there is such a place soon; any other at once. What a side still sends is then thrown
// away until it ends too, for a moment.
type tunnel struct {
	c    *conn
	up   net.Conn
	idle time.Duration
	last atomic.Int64 // when bytes last passed, on the clock of message.Now
	cut  atomic.Bool  // both directions are to end
	told atomic.Bool  // the readers have been woken because time is up
}

// direction is one of the two of a tunnel.
type direction struct {
	*tunnel
	from, to net.Conn
	frames   *websocket.Tracker // nil if it is no WebSocket
	total    int64
}

// tunnel runs the connection as a tunnel until it ends. It owns both connections.
func (c *conn) tunnel() {
	s, up := c.s, c.s.tunnelUp
	c.p.tunnels.Add(1)
	defer c.p.tunnels.Add(-1)
	_ = up.net().SetReadDeadline(time.Time{}) // errors show at the reads below
	_ = c.net.SetReadDeadline(time.Time{})
	t := &tunnel{c: c, up: up.tunnelled(), idle: s.location.TunnelIdle}
	c.long.Store(s.location)
	c.enter(phaseBusy, 0, 0, t)
	t.last.Store(message.Now())
	answer := &direction{tunnel: t, from: t.up, to: c.net}
	request := &direction{tunnel: t, from: c.net, to: t.up}
	if bytes.EqualFold(s.ex.Request.Fields.Get(message.Upgrade), []byte("websocket")) {
		answer.frames, request.frames = new(websocket.Tracker), new(websocket.Tracker)
	}
	down := make(chan struct{})
	go func() { // ends with its connections, which either direction may cut
		answer.copy(up.unread())
		close(down)
	}()
	request.copy(s.unread())
	<-down
	s.ex.RequestBody += request.total
	s.ex.ResponseBody += answer.total
	s.broken = c.cutting()
	s.r = s.w
	s.ex.UpstreamResponse = message.Now() - up.sent - max(s.ex.UpstreamProcessing, 0)
	up.discard()
	s.backend.End()
	s.backend = nil
	s.ended = 0
	s.keepClient = false
	c.finish()
}

// interrupt implements peer: it wakes both readers when the time of the tunnel is up, and cuts both sides where they
// have had time enough.
func (t *tunnel) interrupt() {
	if !t.told.Swap(true) && !t.c.p.cutting.Load() {
		_ = t.c.net.SetReadDeadline(past) // here and below an error is a connection that has ended
		_ = t.up.SetReadDeadline(past)
		return
	}
	if t.c.cutFor(message.Now()) > politeLonger || t.c.p.cutting.Load() {
		t.stop()
	}
}

func (t *tunnel) gone() bool { return false }

// stop cuts both directions.
func (t *tunnel) stop() {
	t.cut.Store(true)
	_ = t.c.net.SetDeadline(past)
	_ = t.up.SetDeadline(past)
}

// copy sends first, and then what from sends, to to.
func (d *direction) copy(first []byte) {
	ok := len(first) == 0 || d.send(first)
	buf := d.c.p.pools.bodyBuffer()
	defer d.c.p.pools.body.Put(buf)
	for ok {
		n, err := d.read(buf[:])
		if n > 0 {
			ok = d.send(buf[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, errCut):
			d.finish(buf[:])
			return
		default:
			if !errors.Is(err, os.ErrDeadlineExceeded) && d.closeWrite() {
				return
			}
			ok = false
		}
	}
	d.stop() // both directions: the other one would never learn of it
}

func (d *direction) closeWrite() bool {
	half, can := d.to.(interface{ CloseWrite() error })
	return can && half.CloseWrite() == nil
}

// read reads from one side. It gives up when nothing has passed either way for the limit, or the tunnel's time is up and the
// direction is at a good place to end, or does not find one.
func (d *direction) read(buf []byte) (int, error) {
	for {
		now := message.Now()
		left := d.idle - time.Duration(now-d.last.Load())
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		told := d.told.Load()
		if told {
			if d.frames == nil || d.frames.Boundary() || d.frames.Lost() || !d.c.polite() {
				return 0, errCut
			}
			left = min(left, politeTime)
		}
		if err := d.from.SetReadDeadline(time.Now().Add(left)); err != nil {
			return 0, err
		}
		if d.cut.Load() { // after the deadline was set, so that a cut after this is seen by Read
			return 0, os.ErrDeadlineExceeded
		}
		if d.told.Load() != told { // likewise
			continue
		}
		n, err := d.from.Read(buf)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			d.last.Store(message.Now())
			return n, err
		}
	}
}

// send passes bytes on: when the time is up only those to the end of the frame they begin with.
func (d *direction) send(b []byte) bool {
	if d.frames != nil {
		if d.told.Load() {
			if d.frames.Boundary() {
				return true // read ends the direction
			}
			b = b[:d.frames.Until(b)]
		} else {
			d.frames.Feed(b)
		}
	}
	d.total += int64(len(b))
	if d.to.SetWriteDeadline(time.Now().Add(d.idle)) != nil {
		return false
	}
	_, err := d.to.Write(b)
	return err == nil
}

// finish ends the direction because time is up: with a Close frame where there can be one, and in any case with a FIN. Then it
// reads until the other side has ended as well: to close with unread bytes would destroy what was sent last.
func (d *direction) finish(buf []byte) {
	if d.frames != nil && d.frames.Boundary() && !d.frames.Closed() {
		var key *[4]byte
		if d.to == d.up {
			key = new([4]byte)
			_, _ = rand.Read(key[:]) // never fails
		}
		if d.to.SetWriteDeadline(time.Now().Add(politeTime)) == nil {
			_, _ = d.to.Write(websocket.AppendClose(nil, key)) // an error is a side that has gone
		}
	}
	d.closeWrite()
	if d.from.SetReadDeadline(time.Now().Add(politeTime)) != nil || d.cut.Load() {
		return
	}
	for {
		if _, err := d.from.Read(buf); err != nil {
			return
		}
	}
}
