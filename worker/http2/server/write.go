package server

import (
	"os"
	"strconv"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/head"
	"pingap/worker/http2/hpack"
)

// KeepLength as the length of a response passes the Content-Length fields of its head on as they are: answers to HEAD, and
// 304, whose length is that of another message.
const KeepLength int64 = -2

// WriteHead sends the head of the final response, and body as the first of its bytes. length is the content-length to write,
// message.LengthUnknown for none, or KeepLength. end tells that nothing follows. Fields of the connection and framing
// fields are left out. It waits as Write does.
func (s *Stream) WriteHead(resp *message.Response, length int64, body []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	err := s.beginLocked()
	if err == nil && s.headSent {
		err = ErrEnded
	}
	if err == nil {
		s.headSent = true
		s.sendHeadLocked(&headers{status: resp.Status, fields: &resp.Fields, length: length}, end && len(body) == 0)
		_, err = s.sendLocked(body, end)
	}
	c.unlock()
	return err
}

// WriteInterim sends an interim response (1xx). 101 does not exist in HTTP/2, and is left out.
func (s *Stream) WriteInterim(resp *message.Response) error {
	if resp.Status == 101 {
		return nil
	}
	c := s.c
	c.mu.Lock()
	err := s.beginLocked()
	if err == nil && s.headSent {
		err = ErrEnded
	}
	if err == nil {
		s.sendHeadLocked(&headers{status: resp.Status, fields: &resp.Fields, length: message.LengthUnknown}, false)
		c.flushLocked()
	}
	c.unlock()
	return err
}

// WriteTrailers ends the response with trailers; fields that may not stand there are left out.
func (s *Stream) WriteTrailers(fields *message.Fields) error {
	c := s.c
	c.mu.Lock()
	err := s.beginLocked()
	if err == nil {
		s.sendTrailersLocked(fields)
		c.flushLocked()
	}
	c.unlock()
	return err
}

// sendTrailersLocked queues trailers; without any the stream ends with an empty DATA frame.
func (s *Stream) sendTrailersLocked(fields *message.Fields) {
	list := fields.List()
	for i := range list {
		if head.InTrailer(list[i].ID) {
			s.sendHeadLocked(&headers{fields: fields}, true)
			return
		}
	}
	s.endDataLocked()
}

// Write sends bytes of the body. It waits until all of them are queued: for the client's windows and for the transport.
func (s *Stream) Write(p []byte) (int, error) {
	return s.send(p, false)
}

// WriteLast sends the last bytes of the body.
func (s *Stream) WriteLast(p []byte) (int, error) {
	return s.send(p, true)
}

// CloseWrite ends the response.
func (s *Stream) CloseWrite() error {
	_, err := s.send(nil, true)
	return err
}

func (s *Stream) send(p []byte, end bool) (int, error) {
	c := s.c
	c.mu.Lock()
	n, err := 0, s.writeErrorLocked()
	if err == nil {
		n, err = s.sendLocked(p, end)
	}
	c.unlock()
	return n, err
}

// writeErrorLocked returns why nothing can be written.
func (s *Stream) writeErrorLocked() error {
	switch {
	case s.dead != nil:
		return s.dead
	case s.localEnded:
		return ErrEnded
	case s.writeLate:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// beginLocked waits until there is room for a head.
func (s *Stream) beginLocked() error {
	c := s.c
	for {
		if err := s.writeErrorLocked(); err != nil {
			return err
		}
		if c.out == nil || len(c.out.b) < c.o.Output+headRoom {
			return nil
		}
		c.roomWaiters++
		c.room.Wait()
		c.roomWaiters--
	}
}

// headRoom is how much further than data heads may fill the queue, so that data cannot keep them out.
const headRoom = 64 << 10

// headers is what makes a block of fields.
type headers struct {
	status int // 0 in trailers
	fields *message.Fields
	length int64
}

// sendHeadLocked queues a block of fields.
func (s *Stream) sendHeadLocked(h *headers, end bool) {
	c := s.c
	out := c.spaceLocked(512)
	start := len(out.b)
	out.b = h.append(frame.BeginHeaders(out.b), &c.enc)
	out.b = frame.EndHeaders(out.b, start, s.id, end, sendFrame)
	if end {
		s.localEnded = true
		s.endedLocked()
	}
}

// append encodes the block.
func (h *headers) append(dst []byte, enc *hpack.Encoder) []byte {
	trailer := h.status == 0
	if !trailer {
		dst = enc.AppendStatus(dst, h.status)
	}
	list := h.fields.List()
	for i := range list {
		f := &list[i]
		if trailer && !head.InTrailer(f.ID) || !trailer && !head.InResponse(f.ID) &&
			(f.ID != message.ContentLength || h.length != KeepLength) {
			continue
		}
		dst = enc.Append(dst, f)
	}
	if h.length >= 0 && !trailer {
		var digits [20]byte
		f := message.Field{Name: contentLength, Value: strconv.AppendInt(digits[:0], h.length, 10), ID: message.ContentLength}
		dst = enc.Append(dst, &f)
	}
	return dst
}

var contentLength = []byte("content-length")

// sendLocked queues p, and waits until all of it is. It returns how much was.
func (s *Stream) sendLocked(p []byte, end bool) (int, error) {
	c := s.c
	if len(p) == 0 {
		if end && !s.localEnded {
			s.endDataLocked()
		}
		c.flushLocked()
		return 0, nil
	}
	s.pending, s.pendingEnd, s.writeSince = p, end, c.o.Now()
	if s.sendWindow > 0 {
		c.ready.add(s)
	}
	c.fillLocked()
	c.flushLocked()
	for len(s.pending) > 0 {
		if s.writeLate {
			n := len(p) - len(s.pending)
			s.pending, s.pendingEnd = nil, false
			c.ready.remove(s)
			return n, os.ErrDeadlineExceeded
		}
		s.writable.Wait()
		c.flushLocked()
	}
	if s.dead != nil {
		return 0, s.dead
	}
	return len(p), nil
}

// endDataLocked ends the response with an empty DATA frame.
func (s *Stream) endDataLocked() {
	out := s.c.spaceLocked(frame.HeaderLen)
	out.b = frame.AppendHeader(out.b, frame.Header{Type: frame.Data, Flags: frame.FlagEndStream, Stream: s.id})
	s.localEnded = true
	s.endedLocked()
}
