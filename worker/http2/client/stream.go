package client

import (
	"io"
	"net"
	"time"

	"pingap/message"
	"pingap/worker/http2/answer"
	"pingap/worker/http2/buffer"
	"pingap/worker/http2/frame"
)

// Stream is one request and its response. One goroutine may receive and another send at a time; any may
// set deadlines, Reset and Close. Release ends all use.
type Stream struct {
	c  *Conn
	id uint32

	// All below is guarded by the connection's mu.
	rd, wr waiter

	ask      answer.Ask
	heads    []head // of these, those from taken on wait for Head
	taken    int
	headSize int  // bytes in heads, to bound the interim ones
	final    bool // the final head came
	trailers head
	body     buffer.Queue
	viewed   int   // bytes that Next gave out, which are still in body
	left     int64 // bytes of the body still to come, message.LengthUnknown if nobody said
	eof      bool  // the peer has ended its side

	sendWin int64 // bytes the peer takes
	recvWin int64 // bytes the peer may send
	credit  int   // bytes taken that recvWin does not have again

	rest     []byte // what waits to be sent: the caller's memory
	restEnd  bool   // the side ends with it
	unsent   int    // length of rest when the stream failed
	queued   bool   // in the connection's queue
	after    *Stream
	sentEnd  bool   // our side has ended
	headEnd  int64  // position of the end of the request's HEADERS in all that was queued
	stopped  *Error // why nothing is sent any more
	err      *Error // why nothing will come any more
	gone     bool   // not in the table any more
	released bool

	unprocessed bool
	nextFree    *Stream
}

func newStream(c *Conn) *Stream {
	s := &Stream{c: c, left: message.LengthUnknown}
	s.rd.init(c)
	s.wr.init(c)
	return s
}

// Head waits for the next response head: interim ones come one by one, then the final one. The fields refer
// to the memory that is returned; mem is given to the stream for it.
func (s *Stream) Head(resp *message.Response, mem []byte) (grown []byte, final bool, err error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := s.rd.over(); err != nil {
			return mem, false, err
		}
		if s.taken < len(s.heads) {
			break
		}
		if s.err != nil {
			return mem, false, s.err
		}
		s.rd.waitLocked()
	}
	h := &s.heads[s.taken]
	s.taken++
	resp.Reset()
	resp.Fields, h.fields = h.fields, resp.Fields
	grown, h.mem = h.mem, mem[:0]
	resp.Status, resp.BodyLength, resp.Version = h.status, h.length, message.HTTP2
	return grown, h.status >= 200, nil
}

// Read implements net.Conn: bytes of the body, io.EOF when it is complete.
func (s *Stream) Read(p []byte) (int, error) {
	c := s.c
	c.mu.Lock()
	s.dropViewLocked()
	if err := s.readableLocked(); err != nil || len(p) == 0 {
		c.flushLocked()
		return 0, err
	}
	n := s.body.Read(p, &c.pools.blocks)
	s.takenLocked(n)
	c.flushLocked()
	return n, nil
}

// Next waits for bytes of the body and returns what there is in one piece, without a copy: valid until the next call
// for this stream, which takes it. io.EOF means that the body is complete.
func (s *Stream) Next() ([]byte, error) {
	c := s.c
	c.mu.Lock()
	s.dropViewLocked()
	if err := s.readableLocked(); err != nil {
		c.flushLocked()
		return nil, err
	}
	p := s.body.Front()
	s.viewed = len(p)
	c.flushLocked()
	return p, nil
}

// dropViewLocked takes what Next gave out.
func (s *Stream) dropViewLocked() {
	if n := s.viewed; n > 0 {
		s.viewed = 0
		s.body.Skip(n, &s.c.pools.blocks)
		s.takenLocked(n)
	}
}

// readableLocked waits until there are bytes of the body.
func (s *Stream) readableLocked() error {
	for {
		if err := s.rd.over(); err != nil {
			return err
		}
		switch {
		case s.err == errReleased:
			return s.err
		case s.body.Len() > 0:
			return nil
		case s.eof:
			return io.EOF
		case s.err != nil:
			return s.err
		}
		s.rd.waitLocked()
	}
}

// Buffered returns how many bytes of the body can be read at once, and whether they are all that remains of it.
func (s *Stream) Buffered() (n int, whole bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.body.Len() - s.viewed, s.eof
}

// Trailers returns the trailers of the response once Read has said io.EOF; there may be none. They are valid until
// Release.
func (s *Stream) Trailers() *message.Fields { return &s.trailers.fields }

// Unprocessed reports, after an error, that the peer did nothing with the request: it may be sent again, whatever
// its method.
func (s *Stream) Unprocessed() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.unprocessed && len(s.heads) == 0
}

// ID returns the number of the stream, for logs.
func (s *Stream) ID() uint32 { return s.id }

// Reset ends both sides: the peer is told the code, and waiting calls return an error.
func (s *Stream) Reset(code frame.ErrCode) {
	s.c.mu.Lock()
	s.resetLocked(code, errReleased)
	s.c.flushLocked()
}

// Close implements net.Conn. What the peer has ended is not reset.
func (s *Stream) Close() error {
	s.c.mu.Lock()
	s.closeLocked()
	s.c.flushLocked()
	return nil
}

func (s *Stream) closeLocked() {
	s.resetLocked(frame.Cancel, errReleased)
}

// Release gives the stream back, closed if it was open. Nothing may use it from then on, nor what Head, Next and
// Trailers returned that refers to it; what Head returned in mem stays.
func (s *Stream) Release() {
	c := s.c
	c.mu.Lock()
	if s.released {
		c.mu.Unlock()
		panic("http2 client: stream released twice")
	}
	s.closeLocked()
	c.unread -= s.body.Drop(&c.pools.blocks)
	s.recycleLocked()
	c.publishLocked()
	c.flushLocked()
}

// recycleLocked makes the stream ready for another request, and keeps it.
func (s *Stream) recycleLocked() {
	c := s.c
	s.released = true
	if c.frees >= keepStreams || c.err != nil {
		return
	}
	s.rd.reset()
	s.wr.reset()
	for i := range s.heads {
		s.heads[i].recycle()
	}
	if len(s.heads) > 1 { // interim ones are rare: keep the memory of one head
		clear(s.heads[1:])
	}
	s.trailers.recycle()
	*s = Stream{c: c, released: true, rd: s.rd, wr: s.wr, heads: s.heads[:0], trailers: s.trailers, body: s.body,
		left: message.LengthUnknown, nextFree: c.free}
	c.free = s
	c.frees++
}

// SetReadDeadline implements net.Conn, for Head, Read and Next. One that is over wakes them.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.c.mu.Lock()
	s.rd.setLocked(t)
	s.c.mu.Unlock()
	return nil
}

// SetWriteDeadline implements net.Conn, for Write, WriteLast, CloseWrite and WriteTrailers.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.c.mu.Lock()
	s.wr.setLocked(t)
	s.c.mu.Unlock()
	return nil
}

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t) // neither can fail
	return s.SetWriteDeadline(t)
}

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return s.c.t.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.c.t.RemoteAddr() }
