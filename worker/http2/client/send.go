package client

import (
	"os"

	"pingap/message"
	"pingap/worker/http2/answer"
	"pingap/worker/http2/frame"
)

// maxData bounds the payload of our DATA frames, whatever the peer takes: streams take turns by frames.
const maxData = 32 << 10

// maxLates bounds the heads that may come on streams that we have reset.
const maxLates = 1 << 16

// sendQueue are the streams that have something to send and may, in the order of their turns.
type sendQueue struct{ first, last *Stream }

func (q *sendQueue) push(s *Stream) {
	if s.queued {
		return
	}
	s.queued = true
	if q.last == nil {
		q.first = s
	} else {
		q.last.after = s
	}
	q.last = s
}

func (q *sendQueue) pop() *Stream {
	s := q.first
	q.first = s.after
	if q.first == nil {
		q.last = nil
	}
	s.after, s.queued = nil, false
	return s
}

func (q *sendQueue) remove(s *Stream) {
	if !s.queued {
		return
	}
	var before *Stream
	for at := q.first; at != s; at = at.after {
		before = at
	}
	if before == nil {
		q.pop()
		return
	}
	before.after = s.after
	if q.last == s {
		q.last = before
	}
	s.after, s.queued = nil, false
}

// pumpLocked queues DATA as far as the windows allow, in turns, until enough waits to be written.
func (c *Conn) pumpLocked() {
	for c.queue.first != nil && c.sendWin > 0 && c.writeErr == nil {
		b := c.outLocked()
		if len(b.b) >= outData {
			return
		}
		s := c.queue.pop()
		n := min(int64(len(s.rest)), s.sendWin, c.sendWin, int64(min(c.peer.maxFrame, maxData)))
		if n <= 0 {
			continue // its window is closed: widenLocked puts it back
		}
		last := s.restEnd && int(n) == len(s.rest)
		b.b = appendData(b.b, s.id, s.rest[:n], last)
		s.sendWin -= n
		c.sendWin -= n
		s.rest = s.rest[n:]
		c.budget = min(c.budget+4, fullPatience) // its WINDOW_UPDATEs
		if len(s.rest) > 0 {
			c.queue.push(s)
			continue
		}
		s.wr.wakeLocked()
		if last {
			s.sentLocked()
		}
	}
}

func appendData(dst []byte, id uint32, p []byte, end bool) []byte {
	h := frame.Header{Length: uint32(len(p)), Type: frame.Data, Stream: id}
	if end {
		h.Flags = frame.FlagEndStream
	}
	return append(frame.AppendHeader(dst, h), p...)
}

// widenLocked changes the stream's window. More than there can be is an error of the stream.
func (s *Stream) widenLocked(n int64) {
	s.sendWin += n
	if s.sendWin > maxWindow {
		s.rejectLocked(wrong(frame.FlowControlError, "the stream's window is over 2^31-1"))
		return
	}
	if s.sendWin > 0 && len(s.rest) > 0 {
		s.c.queue.push(s)
	}
}

// sentLocked notes that our side has ended.
func (s *Stream) sentLocked() {
	s.sentEnd = true
	if s.eof {
		s.c.removeLocked(s)
	}
}

// Write implements net.Conn: it sends bytes of the request's body, and returns when all of them are queued. They
// wait for the peer's windows.
func (s *Stream) Write(p []byte) (int, error) { return s.write(p, false) }

// WriteLast is Write for the last bytes of the body, and ends it.
func (s *Stream) WriteLast(p []byte) (int, error) { return s.write(p, true) }

// CloseWrite ends the request's body.
func (s *Stream) CloseWrite() error {
	_, err := s.write(nil, true)
	return err
}

func (s *Stream) write(p []byte, end bool) (int, error) {
	c := s.c
	c.mu.Lock()
	if err := s.writableLocked(); err != nil || len(p) == 0 && !end {
		c.mu.Unlock()
		return 0, err
	}
	s.beginLocked(p, end)
	c.flushLocked()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(s.rest) > 0 {
		if err := s.wr.over(); err != nil {
			n := len(p) - len(s.rest)
			s.rest = nil
			c.queue.remove(s)
			return n, err
		}
		s.wr.waitLocked()
	}
	if s.stopped != nil && !s.sentEnd {
		return len(p) - s.unsent, s.stopped
	}
	return len(p), nil
}

// writableLocked says whether anything may be sent.
func (s *Stream) writableLocked() error {
	if s.stopped != nil {
		return s.stopped
	}
	if s.sentEnd {
		return os.ErrClosed
	}
	return s.wr.over()
}

// beginLocked sends p as far as possible now; the rest is s.rest. With end our side ends behind it.
func (s *Stream) beginLocked(p []byte, end bool) {
	c := s.c
	if len(p) == 0 {
		b := c.outLocked()
		b.b = appendData(b.b, s.id, nil, true)
		s.sentLocked()
		return
	}
	s.rest, s.restEnd, s.unsent = p, end, 0
	if s.sendWin > 0 {
		c.queue.push(s)
	}
	c.pumpLocked()
}

// WriteTrailers ends the request's body with trailers. Fields that may not stand there are left out.
func (s *Stream) WriteTrailers(fields *message.Fields) error {
	c := s.c
	c.mu.Lock()
	if err := s.writableLocked(); err != nil {
		c.mu.Unlock()
		return err
	}
	block := c.scratch[:0]
	list := fields.List()
	for i := range list {
		f := &list[i]
		if answer.MayTrail(f) {
			block = c.enc.Append(block, f)
		}
	}
	c.scratch = block
	b := c.outLocked()
	if len(block) == 0 {
		b.b = appendData(b.b, s.id, nil, true)
	} else {
		b.b = frame.AppendHeaders(b.b, s.id, block, true, uint32(c.peer.maxFrame))
	}
	s.sentLocked()
	c.flushLocked()
	return nil
}

// giveBackLocked returns n bytes of the stream's window to the peer, in large steps.
func (s *Stream) giveBackLocked(n int) {
	c := s.c
	if n == 0 {
		return
	}
	s.credit += n
	if !s.eof && s.err == nil && s.credit >= c.o.StreamWindow/4 {
		b := c.outLocked()
		b.b = frame.AppendWindowUpdate(b.b, s.id, uint32(s.credit))
		s.recvWin += int64(s.credit)
		s.credit = 0
	}
}

// giveBackLocked returns n bytes of the connection's window to the peer, in large steps.
func (c *Conn) giveBackLocked(n int) {
	c.credit += n
	if c.credit >= c.o.ConnWindow/4 && c.err == nil {
		b := c.outLocked()
		b.b = frame.AppendWindowUpdate(b.b, 0, uint32(c.credit))
		c.recvWin += int64(c.credit)
		c.credit = 0
	}
}

// takenLocked accounts for n bytes that were read from the body.
func (s *Stream) takenLocked(n int) {
	c := s.c
	full := c.unread > c.o.ConnWindow/2
	c.unread -= n
	if full {
		c.publishLocked()
	}
	s.giveBackLocked(n)
}

// rejectLocked ends a stream whose response broke a rule.
func (s *Stream) rejectLocked(err *Error) { s.resetLocked(err.Code, err) }

// resetLocked ends both sides, and tells the peer.
func (s *Stream) resetLocked(code frame.ErrCode, err *Error) {
	c := s.c
	if s.gone {
		s.failLocked(err)
		return
	}
	if c.err == nil {
		b := c.outLocked()
		b.b = frame.AppendRSTStream(b.b, s.id, code)
		if !s.eof {
			c.late = min(c.late+s.recvWin, int64(c.o.ConnWindow)) // no more can be on its way
			c.lates = min(c.lates+maxInterim+2-len(s.heads), maxLates)
		}
	}
	s.failLocked(err)
	c.removeLocked(s)
}

// failLocked notes how the stream ended, and wakes who waits. A response that is complete stays.
func (s *Stream) failLocked(err *Error) {
	if s.err == nil && !s.eof {
		s.err = err
	}
	if s.stopped == nil {
		s.stopped = err
	}
	if s.rest != nil {
		s.unsent, s.rest = len(s.rest), nil
	}
	s.rd.wakeLocked()
	s.wr.wakeLocked()
}
