package client

import (
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

const (
	// minWindow is what every window begins with (RFC 9113 section 6.9.2), maxWindow the largest there is.
	minWindow = 65535
	maxWindow = math.MaxInt32
	// firstStreams is how many streams are opened before the peer's SETTINGS say how many it takes.
	firstStreams = 100
	// lastStream is the number after which a new connection is needed.
	lastStream = 1<<31 - 3
	// keepStreams is how many streams that have ended are kept for the next requests.
	keepStreams = 128
)

// peer is what the SETTINGS of the other side say.
type peer struct {
	seen       bool
	maxStreams int64
	window     int64
	maxFrame   int
	connect    bool
}

// Conn is one connection to an upstream.
type Conn struct {
	o     Options
	t     net.Conn
	raw   syscall.RawConn // of t, nil if it has none
	pools *Pools
	slots atomic.Int32   // how many streams may be opened now; -1 when never again
	wg    sync.WaitGroup // the reader and a flusher
	heard atomic.Bool    // bytes came since the last Tick
	in    reader         // belongs to the reader's goroutine
	send  writer         // belongs to who flushes

	settled chan struct{} // closed when the peer's first SETTINGS came, or none will come

	mu       sync.Mutex // guards all below, and the streams
	streams  table      // open: not ended by both sides
	reserved int
	next     uint32 // number of the next stream
	free     *Stream
	frees    int

	peer    peer
	sendWin int64 // bytes of DATA that the peer takes now
	recvWin int64 // bytes of DATA that it may send now
	credit  int   // bytes taken that recvWin does not yet have again
	unread  int   // bytes in bodies
	late    int64 // bytes that may still come on streams that we have reset
	lates   int   // heads, likewise
	patience
	beat

	enc     hpack.Encoder
	scratch []byte     // of a field block
	num     [20]byte   // of a length
	text    []byte     // of a pseudo-field
	out     *outBuffer // what waits to be written, nil if nothing
	queue   sendQueue
	handed  int64 // bytes given to be written, ever
	taken   int64 // bytes that the transport took, ever

	flushing bool // somebody writes
	closing  bool // the transport is to be closed when all is written
	hungUp   bool // it was
	draining bool // no new streams: we want to end
	goneAway bool // no new streams: the peer wants to end, or cannot be written to
	err      error

	batch bool            // the reader is at work: waiters are woken when it is through
	wakes []chan struct{} // those
}

// New begins a connection over t, which then belongs to it, and starts the goroutine that reads. It ends
// when t fails or the connection is closed. Nothing is written before the first Open or Tick.
func New(t net.Conn, o Options) *Conn {
	o = o.withDefaults()
	c := &Conn{o: o, t: t, pools: o.Pools, next: 1, settled: make(chan struct{})}
	if sc, ok := t.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.peer = peer{maxStreams: firstStreams, window: minWindow, maxFrame: frame.MinMaxFrame}
	c.sendWin, c.recvWin = minWindow, int64(o.ConnWindow)
	c.patience.fill()
	c.enc.Init()
	c.in.init(c)
	c.send.init(c)
	c.greetLocked()
	c.publishLocked()
	c.wg.Add(1)
	go c.run() // ends with the transport
	return c
}

// Wait returns when the goroutines of a connection that was closed have ended.
func (c *Conn) Wait() { c.wg.Wait() }

// Room reports how many streams may be opened now. It takes no lock.
func (c *Conn) Room() int { return int(max(c.slots.Load(), 0)) }

// Healthy reports whether new streams may be opened now or later. It takes no lock.
func (c *Conn) Healthy() bool { return c.slots.Load() >= 0 }

// Streams returns how many streams are open.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams.n
}

// Err returns why the connection has ended, nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Reserve takes room for one stream, for an Open with Reserved set, or Unreserve. It reports whether there
// was room.
func (c *Conn) Reserve() bool {
	if c.slots.Load() <= 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.roomLocked() <= 0 {
		return false
	}
	c.reserved++
	c.publishLocked()
	return true
}

// Unreserve gives back what Reserve took.
func (c *Conn) Unreserve() {
	c.mu.Lock()
	c.reserved--
	c.partLocked()
	c.publishLocked()
	c.flushLocked()
}

// roomLocked returns how many streams may be opened now, -1 when never again.
func (c *Conn) roomLocked() int {
	if c.err != nil || c.draining || c.goneAway {
		return -1
	}
	if c.suspect || c.unread > c.o.ConnWindow/2 {
		return 0 // the peer is silent, or slow readers use up the connection's window
	}
	limit := c.peer.maxStreams
	if c.o.MaxStreams > 0 {
		limit = min(limit, int64(c.o.MaxStreams))
	}
	return int(max(min(limit, math.MaxInt32)-int64(c.streams.n+c.reserved), 0))
}

func (c *Conn) publishLocked() { c.slots.Store(int32(c.roomLocked())) }

// admitLocked says whether one more stream may be opened.
func (c *Conn) admitLocked(reserved bool) error {
	if reserved {
		c.reserved--
	}
	room := c.roomLocked()
	switch {
	case c.err != nil:
		return ErrClosed
	case room < 0:
		return ErrGoingAway
	case room == 0 || c.out != nil && len(c.out.b) > outFull:
		return ErrFull
	}
	return nil
}

// addLocked opens the next stream.
func (c *Conn) addLocked() *Stream {
	s := c.free
	if s == nil {
		s = newStream(c)
	} else {
		c.free, s.nextFree = s.nextFree, nil
		c.frees--
	}
	s.id, s.released = c.next, false
	s.sendWin, s.recvWin = c.peer.window, int64(c.o.StreamWindow)
	c.next += 2
	c.draining = c.draining || c.next > lastStream
	c.streams.add(s)
	c.publishLocked()
	return s
}

// removeLocked takes a stream out that both sides have ended, or that was reset.
func (c *Conn) removeLocked(s *Stream) {
	if s.gone {
		return
	}
	s.gone = true
	c.queue.remove(s)
	s.rest = nil
	c.streams.remove(s)
	c.partLocked()
	c.publishLocked()
}

// partLocked ends a connection that takes no new streams when the last one has ended.
func (c *Conn) partLocked() {
	if (c.draining || c.goneAway) && c.streams.n == 0 && c.reserved == 0 {
		c.hangUpLocked(frame.NoError)
	}
}

// hangUpLocked says goodbye; the transport is closed when that is written.
func (c *Conn) hangUpLocked(code frame.ErrCode) {
	if c.closing {
		return
	}
	c.closing = true
	b := c.outLocked()
	b.b = frame.AppendGoAway(b.b, 0, code, "") // the peer opens no streams: none was looked at
}

// Drain lets the open streams end, opens none any more, and closes the connection then.
func (c *Conn) Drain() {
	c.mu.Lock()
	c.draining = true
	c.partLocked()
	c.publishLocked()
	c.flushLocked()
}

// CloseIdle closes the connection if no stream is open or reserved, and reports whether it did.
func (c *Conn) CloseIdle() bool {
	c.mu.Lock()
	if c.streams.n > 0 || c.reserved > 0 {
		c.mu.Unlock()
		return false
	}
	c.draining = true
	c.partLocked()
	c.publishLocked()
	c.flushLocked()
	return true
}

// Close ends the connection at once; streams that are open fail.
func (c *Conn) Close() {
	c.mu.Lock()
	c.failLocked(&Error{Cause: Lost, Text: "connection closed by us", Err: net.ErrClosed})
	c.closing, c.hungUp = true, true
	c.mu.Unlock()
	_ = c.t.Close() // nothing of it is needed any more
}

// failLocked ends all streams with err, which is the first reason.
func (c *Conn) failLocked(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	if !c.peer.seen {
		close(c.settled)
	}
	reason, ok := err.(*Error)
	if !ok {
		reason = &Error{Cause: Lost, Text: "connection lost", Err: err}
	}
	for _, s := range append([]*Stream(nil), c.streams.slots...) {
		if s != nil {
			s.unprocessed = s.unprocessed || s.headEnd > c.taken
			s.failLocked(reason)
			c.removeLocked(s)
		}
	}
	c.publishLocked()
}

// LocalAddr returns the transport's own address.
func (c *Conn) LocalAddr() net.Addr { return c.t.LocalAddr() }

// RemoteAddr returns the transport's peer.
func (c *Conn) RemoteAddr() net.Addr { return c.t.RemoteAddr() }

// Opened streams since the connection began; for logs and for the age of a connection.
func (c *Conn) Opened() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.next-1) / 2
}
