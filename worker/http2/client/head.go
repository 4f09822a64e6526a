package client

import (
	"pingap/message"
	"pingap/worker/http2/answer"
	"pingap/worker/http2/frame"
)

// maxInterim bounds the interim responses before the final one.
const maxInterim = 32

// keepMem is how much memory of a head a stream keeps for its next use.
const keepMem = 8 << 10

// head is a response head that came, or trailers.
type head struct {
	status int
	length int64
	fields message.Fields
	mem    []byte // behind the fields
}

func (h *head) reset() {
	h.fields.Reset()
	h.status, h.length, h.mem = 0, 0, h.mem[:0]
}

// recycle is reset for a head that nobody may need again: it keeps no large memory.
func (h *head) recycle() {
	if cap(h.mem) > keepMem {
		*h = head{}
		return
	}
	h.reset()
}

// nextHead returns where the next field block of the response goes. It counts only when the block turns out to be right.
func (s *Stream) nextHead() *head {
	if s.final {
		s.trailers.reset()
		return &s.trailers
	}
	n := len(s.heads)
	if n == cap(s.heads) {
		s.heads = append(s.heads, head{})[:n]
	}
	into := &s.heads[:n+1][n]
	into.reset()
	return into
}

// blockLocked takes a decoded field block, which is a head or the trailers.
func (s *Stream) blockLocked(into *head, over, end bool) *Error {
	switch {
	case over:
		return &Error{Cause: TooLarge, Code: frame.EnhanceYourCalm, Text: "head of the response is over the limits"}
	case s.eof:
		return wrong(frame.StreamClosed, "HEADERS behind the end of the response")
	case s.final:
		return s.trailersLocked(end)
	}
	return s.headLocked(into, end)
}

// headLocked takes a response head.
func (s *Stream) headLocked(h *head, end bool) *Error {
	var wrong string
	if h.status, h.length, wrong = answer.Head(&h.fields); wrong != "" {
		return malformed(wrong)
	}
	if h.status < 200 {
		switch {
		case end:
			return malformed("interim response ends the stream")
		case len(s.heads) >= maxInterim:
			return malformed("too many interim responses")
		}
		h.length = 0
		s.headSize += answer.Size(&h.fields)
		s.pushHead()
		return nil
	}
	if h.length, wrong = answer.Length(h.status, h.length, s.ask, end); wrong != "" {
		return malformed(wrong)
	}
	s.final = true
	s.left = h.length
	s.pushHead()
	if end {
		s.endLocked()
	}
	return nil
}

func (s *Stream) pushHead() {
	s.heads = s.heads[:len(s.heads)+1]
	s.rd.wakeLocked()
}

// trailersLocked takes trailers.
func (s *Stream) trailersLocked(end bool) *Error {
	switch {
	case !end:
		return malformed("HEADERS inside the body")
	case s.left > 0:
		return malformed("content-length and DATA do not agree")
	}
	if wrong := answer.Trailers(&s.trailers.fields); wrong != "" {
		return malformed(wrong)
	}
	s.endLocked()
	return nil
}
