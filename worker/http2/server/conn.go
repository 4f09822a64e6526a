package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// ErrClosed is what streams and Feed see after Close without an error of its own.
var ErrClosed = errors.New("http2: connection closed")

// Conn is the server's side of one connection.
type Conn struct {
	e      *Engine
	o      *Options // those of e
	h      Handler
	w      Writer
	local  net.Addr
	remote net.Addr
	open   atomic.Int32 // streams that are open or still in work
	input  input        // of the goroutine that calls Feed; guarded by mu as well

	mu sync.Mutex
	// everything below is guarded by mu, and so is input

	err    error // terminal: nothing is read or begun any more
	broken bool  // the transport is gone: nothing is written any more
	now    int64 // of the present call

	table                table
	closed               closedRing
	maxID                uint32    // highest stream that the client has begun
	working              int       // streams that a handler has, or will have at the end of Feed
	arrived, lastArrived *Stream   // streams that Feed has yet to hand over
	gone                 []*Stream // that have died, and whose watchers do not know yet

	dec hpack.Decoder
	enc hpack.Encoder

	recvWindow int64 // what the client may still send
	recvUnsaid int64 // bytes taken that no WINDOW_UPDATE has given back
	sendWindow int64
	sendFirst  int64 // window of a new stream

	out         *buffer // what is queued
	control     int     // bytes in out that answer control frames
	ready       ready
	flushing    bool // a goroutine writes
	woken       bool // a writer was woken and will flush
	room        sync.Cond
	roomWaiters int
	quiet       sync.Cond // signalled when a flusher ends or a stream is released
	quietWaits  int

	goingAway  bool   // the final GOAWAY is queued
	lastID     uint32 // the last stream served then
	unacked    int    // SETTINGS that the client has not acknowledged
	settingsAt int64
	lastRead   int64
	pingAt     int64 // when the PING that waits for its answer was sent, 0 for none
	pingToken  uint64

	resets, controls, empties budget
}

// NewConn returns a connection that hands requests to h and writes to w. Nothing is queued before Start.
func (e *Engine) NewConn(h Handler, w Writer) *Conn {
	c := &Conn{e: e, o: &e.o, h: h, w: w}
	c.room.L, c.quiet.L = &c.mu, &c.mu
	c.recvWindow, c.sendWindow, c.sendFirst = initialWindow, initialWindow, initialWindow
	c.dec.Init(hpackTable)
	c.enc.Init()
	return c
}

// hpackTable is the largest table of the client's encoder that is kept, in bytes: the default of the protocol.
const hpackTable = hpack.DefaultTable

// New returns a connection with an engine of its own.
func New(o Options, h Handler, w Writer) *Conn { return NewEngine(o).NewConn(h, w) }

// SetAddrs sets the addresses that streams report. It is called before Start.
func (c *Conn) SetAddrs(local, remote net.Addr) { c.local, c.remote = local, remote }

// Start queues our settings. It goes before anything else.
func (c *Conn) Start() {
	c.mu.Lock()
	c.startLocked()
	c.mu.Unlock()
	c.kick()
}

func (c *Conn) startLocked() {
	c.now = c.o.Now()
	c.lastRead, c.settingsAt = c.now, c.now
	c.unacked++
	settings := [...]frame.Setting{
		{ID: frame.MaxConcurrentStreams, Value: uint32(c.o.MaxStreams)},
		{ID: frame.InitialWindowSize, Value: uint32(c.o.StreamWindow)},
		{ID: frame.MaxHeaderListSize, Value: uint32(c.o.HeadSize)},
		{ID: frame.NoRFC7540Priorities, Value: 1},
		{ID: frame.MaxFrameSize, Value: uint32(c.o.MaxFrame)},
		{ID: frame.EnableConnectProtocol, Value: 1},
	}
	list := settings[:]
	if c.o.NoConnect {
		list = list[:len(list)-1]
	}
	out := c.spaceLocked(64 + 6*len(list))
	out.b = frame.AppendSettings(out.b, list...)
	if grow := c.o.ConnWindow - initialWindow; grow > 0 {
		out.b = frame.AppendWindowUpdate(out.b, 0, uint32(grow))
		c.recvWindow += int64(grow)
	}
}

// StartUpgraded starts a connection that came about by "Upgrade: h2c", after the answer 101 has been sent. settings is the
// decoded HTTP2-Settings field. The stream is that of the request which asked; its body, if any, has been read
// by others.
func (c *Conn) StartUpgraded(settings []byte) (*Stream, error) {
	c.mu.Lock()
	c.startLocked()
	if len(settings)%6 != 0 {
		c.fail(frame.ProtocolError, "HTTP2-Settings of a wrong length")
	} else {
		c.applySettings(settings)
	}
	var s *Stream
	if c.err == nil {
		c.maxID = 1
		s = c.openLocked(1)
		s.remoteEnded = true
	}
	err := c.err
	c.mu.Unlock()
	c.kick()
	return s, err
}

// Streams returns how many streams are open or still in work.
func (c *Conn) Streams() int { return int(c.open.Load()) }

// Err returns the error that has ended the connection, nil while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Idle reports whether there are no streams and nothing is buffered in or out: the connection only waits.
func (c *Conn) Idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.working == 0 && c.table.n == 0 && c.out == nil && !c.flushing && c.input.idle() &&
		c.unacked == 0 && c.pingAt == 0
}

// Shutdown announces that the connection will be closed (RFC 9113 section 6.8): the client is to begin new
// streams elsewhere. Those that are on their way are served. GoAway follows a little later.
func (c *Conn) Shutdown() {
	c.mu.Lock()
	if c.err == nil && !c.goingAway {
		c.goAwayLocked(maxWindow, frame.NoError, "")
	}
	c.mu.Unlock()
	c.kick()
}

// GoAway ends the connection for new streams: those that come later are refused, so that the client can repeat them
// elsewhere. Once it is Drained the transport may be closed.
func (c *Conn) GoAway() {
	c.mu.Lock()
	if c.err == nil && !c.goingAway {
		c.goingAway, c.lastID = true, c.maxID
		c.goAwayLocked(c.lastID, frame.NoError, "")
	}
	c.mu.Unlock()
	c.kick()
}

// Drained reports whether GoAway was called and nothing is left to do: the transport may be closed.
func (c *Conn) Drained() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goingAway && c.working == 0 && c.out == nil && !c.flushing
}

func (c *Conn) goAwayLocked(last uint32, code frame.ErrCode, text string) {
	if c.broken {
		return
	}
	out := c.spaceLocked(64 + len(text))
	out.b = frame.AppendGoAway(out.b, last, code, text)
}

// Close tells that the transport is gone: every stream sees err, or ErrClosed. The handlers go on until they notice; Wait
// waits for them.
func (c *Conn) Close(err error) {
	if err == nil {
		err = ErrClosed
	}
	c.mu.Lock()
	c.breakLocked(err)
	c.unlock()
}

// Wait waits until every stream has been released and nobody writes any more.
func (c *Conn) Wait() {
	c.mu.Lock()
	c.quietWaits++
	for c.working > 0 || c.flushing {
		c.quiet.Wait()
	}
	c.quietWaits--
	c.mu.Unlock()
}

// fail ends the connection because of the client's mistake.
func (c *Conn) fail(code frame.ErrCode, text string) {
	if c.err != nil {
		return
	}
	c.goAwayLocked(c.maxID, code, text)
	c.endLocked(&frame.Error{Code: code, Text: text})
}

// breakLocked ends the connection whose transport is gone.
func (c *Conn) breakLocked(err error) {
	c.broken = true
	if c.out != nil {
		c.e.putBuffer(c.out)
		c.out = nil
	}
	c.endLocked(err)
}

// endLocked ends all streams.
func (c *Conn) endLocked(err error) {
	if c.err == nil {
		c.err = err
	}
	for s := c.table.any(); s != nil; s = c.table.any() {
		c.killLocked(s, c.err)
	}
	if c.roomWaiters > 0 {
		c.room.Broadcast()
	}
}

// unlock leaves mu, and tells the watchers of streams that have died.
func (c *Conn) unlock() {
	gone := c.gone
	c.gone = nil
	c.mu.Unlock()
	for _, s := range gone {
		s.tell()
	}
}
