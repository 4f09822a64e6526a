package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/head"
)

// ErrEnded is what writing gives behind the end of a response.
var ErrEnded = errors.New("http2: stream is ended")

// ResetError is what a stream gives after one of the two sides reset it.
type ResetError struct {
	Code frame.ErrCode
	// Remote tells that the client did it.
	Remote bool
}

// Error implements error.
func (e *ResetError) Error() string {
	if e.Remote {
		return "http2: stream reset by the client: " + e.Code.String()
	}
	return "http2: stream reset: " + e.Code.String()
}

// Watcher is told when a stream has come to an early end.
type Watcher interface {
	// StreamGone is called without any lock of the connection, by any goroutine.
	StreamGone()
}

// Stream is one exchange. It is a net.Conn for the bodies: Read gives that of the request, Write takes that of the response.
// One goroutine may read while another writes. After Release it belongs to others.
//
// Deadlines are kept by Tick: they are as exact as it is called often. One in the past ends a call at once.
type Stream struct {
	c    *Conn
	id   uint32
	lost atomic.Bool // reset by the client or for its mistakes, or the connection is gone

	watching sync.Mutex // guards watcher; taken without c.mu
	watcher  Watcher

	// everything below is guarded by c.mu

	next, nextArrived *Stream
	before, after     *Stream // in c.ready
	queued            bool
	level             uint8
	priority          head.Priority

	dead        error // why neither side can go on
	remoteEnded bool  // the client has sent all
	localEnded  bool  // the end of the response is queued
	headSent    bool  // a final head is queued
	viewed      bool  // Body gave a view of the buffer
	head        *headBuffer

	first, last *buffer // what came and was not read
	buffered    int
	got         int64 // bytes of the body that came
	length      int64 // bytes that were announced, or message.LengthUnknown
	recvWindow  int64
	recvUnsaid  int64
	trailers    message.Fields

	sendWindow int64
	pending    []byte // what Write waits for
	pendingEnd bool
	writeSince int64

	readBy, writeBy     int64 // deadlines, 0 for none
	readLate, writeLate bool
	readable, writable  sync.Cond
}

// openLocked makes the stream with number id.
func (c *Conn) openLocked(id uint32) *Stream {
	s := c.e.stream()
	s.c, s.id = c, id
	s.readable.L, s.writable.L = &c.mu, &c.mu
	s.length = message.LengthUnknown
	s.recvWindow, s.sendWindow = c.recvFirst, c.sendFirst
	s.priority = head.DefaultPriority
	c.table.put(s)
	c.working++
	c.open.Add(1)
	return s
}

// ID returns the number of the stream.
func (s *Stream) ID() uint32 { return s.id }

// LocalAddr returns the connection's local address, which may be nil.
func (s *Stream) LocalAddr() net.Addr { return s.c.local }

// RemoteAddr returns the client's address, which may be nil.
func (s *Stream) RemoteAddr() net.Addr { return s.c.remote }

// Gone reports whether nobody waits for the response any more: the client has reset the stream, or the connection is gone.
// It takes no lock.
func (s *Stream) Gone() bool { return s.lost.Load() }

// Watch has w told when the stream comes to an early end; nil tells nobody. It reports whether that has happened already, w
// is not told then. When Watch returns no call of the watcher before is under way. It must not be called with a lock that
// the watcher before takes.
func (s *Stream) Watch(w Watcher) (gone bool) {
	s.watching.Lock()
	defer s.watching.Unlock()
	if s.watcher = w; s.lost.Load() {
		s.watcher = nil
		return true
	}
	return false
}

// tell tells the watcher. The stream may be another one by now; that is told only if it is lost too.
func (s *Stream) tell() {
	s.watching.Lock()
	defer s.watching.Unlock()
	if w := s.watcher; w != nil && s.lost.Load() {
		s.watcher = nil
		w.StreamGone()
	}
}

// Answered reports whether the whole response is queued or sent.
func (s *Stream) Answered() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.localEnded && s.dead == nil
}

// Reset ends the stream at once, in both directions: what was not sent is lost. The client sees code.
func (s *Stream) Reset(code frame.ErrCode) {
	c := s.c
	c.mu.Lock()
	s.resetLocked(code)
	c.flushLocked()
	c.unlock()
}

// resetLocked resets a stream for our own reasons.
func (s *Stream) resetLocked(code frame.ErrCode) {
	c := s.c
	if s.dead != nil || s.remoteEnded && s.localEnded {
		return
	}
	if c.err == nil {
		c.queueReset(s.id, code)
	}
	c.closed.add(s.id, true)
	c.killLocked(s, &ResetError{Code: code})
}

// queueReset queues RST_STREAM.
func (c *Conn) queueReset(id uint32, code frame.ErrCode) {
	out := c.spaceLocked(frame.HeaderLen + 4)
	out.b = frame.AppendRSTStream(out.b, id, code)
	c.noteControl(frame.HeaderLen + 4)
}

// killLocked ends a stream early. What it had buffered is given back, and whoever waits for it wakes.
func (c *Conn) killLocked(s *Stream, err error) {
	c.table.remove(s)
	c.ready.remove(s)
	s.dead = err
	s.lost.Store(true)
	s.pending, s.pendingEnd = nil, false
	s.dropLocked()
	s.readable.Signal()
	s.writable.Signal()
	c.gone = append(c.gone, s)
	if c.roomWaiters > 0 {
		c.room.Broadcast()
	}
}

// dropLocked forgets what came and was not read. A buffer of which there is a view stays until Release.
func (s *Stream) dropLocked() {
	if s.buffered > 0 {
		s.c.creditLocked(int64(s.buffered))
		s.buffered = 0
	}
	if s.viewed {
		return
	}
	for s.first != nil {
		b := s.first
		s.first = b.next
		s.c.e.putBuffer(b)
	}
	s.last = nil
}

// endedLocked takes a stream out of the table when both sides have ended it.
func (s *Stream) endedLocked() {
	if s.remoteEnded && s.localEnded && s.c.table.remove(s) {
		s.c.closed.add(s.id, false)
	}
}

// Close ends the stream in both directions. A response that is not complete is cut off by a reset; of a request that is
// not complete the client is told that the rest is of no use (RFC 9113 section 8.1).
func (s *Stream) Close() error {
	c := s.c
	c.mu.Lock()
	s.closeLocked()
	c.flushLocked()
	c.unlock()
	return nil
}

func (s *Stream) closeLocked() {
	if s.localEnded {
		s.resetLocked(frame.NoError)
	} else {
		s.resetLocked(frame.InternalError)
	}
	s.dropLocked()
}

// Release closes the stream and gives its memory back. It is the last call, after which nobody may use the stream.
func (s *Stream) Release() {
	s.Watch(nil)
	c := s.c
	c.mu.Lock()
	s.closeLocked()
	c.releaseLocked(s)
	c.flushLocked()
	c.unlock()
}

// releaseLocked gives a closed stream back.
func (c *Conn) releaseLocked(s *Stream) {
	s.viewed = false
	s.dropLocked()
	if s.head != nil {
		c.e.putHead(s.head)
	}
	s.trailers.Reset()
	s.clear()
	c.working--
	c.open.Add(-1)
	if c.quietWaits > 0 && c.working == 0 {
		c.quiet.Broadcast()
	}
	c.e.streams.Put(s)
}

// clear makes s fit for another stream. Its conditions stay: nobody waits on them.
func (s *Stream) clear() {
	s.c, s.id = nil, 0
	s.next, s.nextArrived, s.head = nil, nil, nil
	s.dead, s.remoteEnded, s.localEnded, s.headSent, s.viewed = nil, false, false, false, false
	s.got, s.length, s.recvUnsaid = 0, 0, 0
	s.pending, s.pendingEnd, s.writeSince = nil, false, 0
	s.readBy, s.writeBy, s.readLate, s.writeLate = 0, 0, false, false
	s.lost.Store(false)
}

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline ends a Read that waits at t, and every later one; the zero time is never.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.readBy, s.readLate = s.c.deadline(t)
	if s.readLate {
		s.readable.Signal()
	}
	return nil
}

// SetWriteDeadline is the same for everything that writes.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.writeBy, s.writeLate = s.c.deadline(t)
	s.wakeLateLocked()
	return nil
}

// wakeLateLocked wakes who writes behind the deadline.
func (s *Stream) wakeLateLocked() {
	if !s.writeLate {
		return
	}
	s.writable.Signal()
	if s.c.roomWaiters > 0 {
		s.c.room.Broadcast()
	}
}

// deadline converts t to the clock of the connection; late tells that it is over.
func (c *Conn) deadline(t time.Time) (at int64, late bool) {
	if t.IsZero() {
		return 0, false
	}
	left := time.Until(t)
	if left <= 0 {
		return 0, true
	}
	return c.o.Now() + int64(left), false
}

// Read reads the body of the request. io.EOF is its end; Trailers are there then.
func (s *Stream) Read(p []byte) (int, error) {
	c := s.c
	c.mu.Lock()
	n, err := s.readLocked(p)
	c.flushLocked()
	c.unlock()
	return n, err
}

func (s *Stream) readLocked(p []byte) (int, error) {
	for {
		switch {
		case s.readLate:
			return 0, os.ErrDeadlineExceeded
		case s.dead != nil:
			return 0, s.dead
		case s.buffered > 0:
			return s.takeLocked(p), nil
		case s.remoteEnded:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.readable.Wait()
	}
}

// takeLocked copies out what is buffered, and gives the client as much of its window back.
func (s *Stream) takeLocked(p []byte) int {
	total := 0
	for len(p) > 0 && s.first != nil {
		b := s.first
		n := copy(p, b.b[b.r:])
		b.r += n
		total += n
		p = p[n:]
		if b.r < len(b.b) {
			break
		}
		if s.viewed {
			break // the view stays until Release
		}
		s.first = b.next
		s.c.e.putBuffer(b)
	}
	if s.first == nil {
		s.last = nil
	}
	s.buffered -= total
	s.c.creditLocked(int64(total))
	s.c.creditStreamLocked(s, int64(total))
	return total
}

// Body returns what is buffered of the body if that is one piece, without taking it; whole tells that nothing follows. The
// view is valid until Release.
func (s *Stream) Body() (p []byte, whole bool) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.dead != nil || s.first != s.last {
		return nil, false
	}
	if s.first == nil {
		return nil, s.remoteEnded
	}
	if !s.remoteEnded {
		return nil, false
	}
	s.viewed = true
	return s.first.b[s.first.r:], true
}

// Trailers returns the trailers of the request, none before its body has ended. It is valid until Release.
func (s *Stream) Trailers() *message.Fields { return &s.trailers }
