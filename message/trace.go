package message

import (
	"encoding/binary"
	"math/bits"
)

// TraceID is the number of a trace, its two halves.
type TraceID [2]uint64

// Trace is the place of a request in a trace (W3C Trace Context). The zero value is a request that is not traced. What is in here was read from
// the request or chosen when it came; spans are made of it at the end.
type Trace struct {
	ID TraceID
	// Server is the id of the request's own span; zero for a request that is not traced. Parent is the client's span, zero for none. Upstream
	// is the span of the attempt in progress, which the upstream gets as its parent; zero before the first attempt.
	Server, Parent, Upstream uint64
	// Sampled requests are exported; Random is what the client said of the id's randomness, to be passed on.
	Sampled, Random bool
	// State tells that the request brought a tracestate that is part of this trace.
	State bool
	// Secure tells that the attempt in progress goes over TLS.
	Secure bool
	// Began and Ended are when the attempt in progress was begun, and when it ended; 0 for not yet. Failure is how, empty for an answer.
	Began, Ended int64
	Failure      string
	// Attempts are the attempts before the one in progress.
	Attempts []Attempt
}

// Attempt is a backend that was tried, and did not give the answer.
type Attempt struct {
	Span                uint64
	Addr, Failure       string
	Secure, Reused      bool
	Status              int
	Began, Ended        int64
	Connect, Processing int64 // as in Record
}

// On reports whether the request is traced.
func (t *Trace) On() bool { return t.Server != 0 }

// Reset makes t that of a request that is not traced, and keeps its memory.
func (t *Trace) Reset() { *t = Trace{Attempts: t.Attempts[:0]} }

// NextAttempt begins an attempt with a span of its own, whose id is given. What is known of the one before goes to the list.
func (r *Record) NextAttempt(span uint64) {
	t := &r.Trace
	if t.Upstream != 0 {
		t.Attempts = append(t.Attempts, Attempt{Span: t.Upstream, Addr: r.UpstreamAddr, Failure: t.Failure, Secure: t.Secure,
			Reused: r.UpstreamReused, Status: r.UpstreamStatus, Began: t.Began, Ended: t.Ended,
			Connect: r.UpstreamConnect, Processing: r.UpstreamProcessing})
	}
	t.Upstream, t.Began, t.Ended, t.Failure = span, 0, 0, ""
}

// CopyFrom makes t a copy of another, with memory of its own.
func (t *Trace) CopyFrom(other *Trace) {
	own := t.Attempts[:0]
	*t = *other
	t.Attempts = append(own, other.Attempts...)
}

// EndAttempt notes how the attempt in progress ended, and when; no failure for an answer.
func (t *Trace) EndAttempt(now int64, failure string) { t.Ended, t.Failure = now, failure }

// AppendTraceID appends a trace id as 32 hexadecimal digits.
func AppendTraceID(dst []byte, id TraceID) []byte {
	return AppendSpanID(AppendSpanID(dst, id[0]), id[1])
}

// AppendSpanID appends a span id as 16 hexadecimal digits.
func AppendSpanID(dst []byte, id uint64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, digits(uint32(id>>32)))
	return binary.LittleEndian.AppendUint64(dst, digits(uint32(id)))
}

// digits are the eight hexadecimal digits of a number, all made at once, the first in the lowest byte.
func digits(n uint32) uint64 {
	const each = 0x0101010101010101
	x := uint64(bits.ReverseBytes32(n))
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff // a byte in every two
	x = (x>>4 | x<<8) & (0x0f * each)   // a digit in every byte
	letters := (x + 6*each) >> 4 & each // 1 where the digit is above 9
	return x + '0'*each + letters*('a'-'9'-1)
}

// appendID is AppendContextAt for the ids, which only a traced request has.
func (t *Trace) appendID(dst []byte, key ContextKey) ([]byte, bool) {
	switch {
	case !t.On():
		return dst, false
	case key == ctxTraceID:
		return AppendTraceID(dst, t.ID), true
	}
	return AppendSpanID(dst, t.Server), true
}
