package http1

import (
	"bytes"

	"pingap/message"
)

const (
	// maxChunkLine bounds a chunk-size line with its extensions, in bytes.
	maxChunkLine = 256
	// maxTrailer bounds the trailer section, in bytes; maxTrailerFields the number of its fields.
	maxTrailer       = 8 << 10
	maxTrailerFields = 32
)

// chunkState is where in a chunked body the next byte stands.
type chunkState uint8

const (
	atSize    chunkState = iota // hex digits of chunk-size
	atExt                       // extensions behind the size
	atSizeLF                    // the LF of the size line
	atData                      // chunk data
	atDataCR                    // the CR behind the data
	atDataLF                    // the LF behind the data
	atTrailer                   // trailer section, from behind the last chunk's line
	atEnd                       // complete
)

// Chunked walks over a chunked body (RFC 9112 section 7.1) as it arrives. Every byte is checked: the
// grammar is taken literally, without white space around sizes and with CRLF only. The zero value
// stands at the beginning.
type Chunked struct {
	// Data is the number of data bytes so far.
	Data int64

	state   chunkState
	digits  int
	line    int
	left    int64 // data bytes left in this chunk
	trailer []byte
}

// Reset starts a new body and keeps memory.
func (c *Chunked) Reset() { *c = Chunked{trailer: c.trailer[:0]} }

// Done reports whether the body is complete.
func (c *Chunked) Done() bool { return c.state == atEnd }

// Trailer returns, once Done, the part of the trailer section that did not pass, its closing empty line
// included: what is to be sent after the bytes that passed. It may be empty.
func (c *Chunked) Trailer() []byte { return c.trailer }

// Next takes bytes from the front of p. It returns a stretch of data (empty when only framing was
// there), and how many bytes it took; it took all of p, or stopped behind a stretch of data or the
// end of the body.
func (c *Chunked) Next(p []byte) (data []byte, used int, err *Error) {
	data, used, err = c.advance(p)
	if err == nil && c.state == atTrailer && len(data) == 0 && used < len(p) {
		n, err := c.takeTrailer(p[used:])
		return nil, used + n, err
	}
	return data, used, err
}

// Pass takes bytes from the front of p for a receiver that gets the body verbatim. The first pass
// bytes of p may be sent on; used is how many were taken. Trailer fields are held back until they
// are complete and checked: when Done, send Trailer after the bytes that passed.
func (c *Chunked) Pass(p []byte) (pass, used int, err *Error) {
	for used < len(p) && c.state < atTrailer {
		_, n, err := c.advance(p[used:])
		used += n
		if err != nil {
			return used, used, err
		}
	}
	pass = used
	if c.state == atTrailer && used < len(p) {
		whole := len(c.trailer) == 0
		n, err := c.takeTrailer(p[used:])
		used += n
		if err != nil {
			return pass, used, err
		}
		if whole && c.Done() && len(c.trailer) == 2 {
			pass, c.trailer = used, c.trailer[:0] // nothing but the closing CRLF, all of it here
		}
	}
	return pass, used, nil
}

// advance takes framing and at most one stretch of data; it stops before the trailer section.
func (c *Chunked) advance(p []byte) (data []byte, used int, err *Error) {
	for used < len(p) && c.state < atTrailer {
		if c.state == atData {
			n := int(min(int64(len(p)-used), c.left))
			c.left -= int64(n)
			c.Data += int64(n)
			if c.left == 0 {
				c.state = atDataCR
			}
			return p[used : used+n], used + n, nil
		}
		if err := c.step(p[used]); err != nil {
			return nil, used, err
		}
		used++
	}
	return nil, used, nil
}

// step takes one byte of framing.
func (c *Chunked) step(b byte) *Error {
	switch c.state {
	case atSize:
		return c.size(b)
	case atExt:
		c.line++
		if b == '\r' {
			c.state = atSizeLF
			return nil
		}
		if c.line > maxChunkLine || !message.IsValue(b) {
			return ErrChunk
		}
		return nil
	case atSizeLF:
		if b != '\n' {
			return ErrChunk
		}
		c.state = atData
		if c.left == 0 {
			c.state = atTrailer
		}
		c.digits, c.line = 0, 0
		return nil
	case atDataCR:
		c.state = atDataLF
		return expect(b, '\r')
	default: // atDataLF
		c.state = atSize
		return expect(b, '\n')
	}
}

func expect(got, want byte) *Error {
	if got != want {
		return ErrChunk
	}
	return nil
}

// size takes chunk-size = 1*HEXDIG, at most 15 digits, and what may follow it.
func (c *Chunked) size(b byte) *Error {
	if d := message.Unhex(b); d >= 0 {
		if c.digits++; c.digits > 15 {
			return ErrChunkSize
		}
		c.left = c.left<<4 | int64(d)
		return nil
	}
	switch {
	case c.digits == 0:
		return ErrChunkSize
	case b == '\r':
		c.state = atSizeLF
		return nil
	case b == ';':
		c.state = atExt
		return nil
	}
	return ErrChunkSize
}

// takeTrailer collects the trailer section line by line and checks it when it is complete.
func (c *Chunked) takeTrailer(p []byte) (int, *Error) {
	used := 0
	for used < len(p) {
		n := bytes.IndexByte(p[used:], '\n') + 1
		if n == 0 {
			n = len(p) - used
		}
		if len(c.trailer)+n > maxTrailer {
			return used, ErrTrailer
		}
		c.trailer = append(c.trailer, p[used:used+n]...)
		used += n
		if !bytes.HasSuffix(c.trailer, []byte("\n")) {
			continue
		}
		if !bytes.HasSuffix(c.trailer, []byte("\r\n")) {
			return used, ErrTrailer
		}
		if len(c.trailer) == 2 || bytes.HasSuffix(c.trailer, []byte("\n\r\n")) {
			c.state = atEnd
			return used, c.checkTrailer()
		}
	}
	return used, nil
}

// checkTrailer checks the fields of the trailer section: well-formed, few, and none that a sender
// must not put there (RFC 9110 section 6.5.1).
func (c *Chunked) checkTrailer() *Error {
	var fields message.Fields
	if len(c.trailer) == 2 {
		return nil
	}
	p := parsed{length: -1}
	n, err := parseFields(c.trailer, &fields, maxTrailerFields, &p, true)
	if err != nil || n != len(c.trailer) || p.aliases > 0 { // the bytes pass as they are: nothing can be dropped
		return ErrTrailer
	}
	for _, f := range fields.List() {
		if in(notInTrailer, f.ID) {
			return ErrTrailer
		}
	}
	return nil
}

// Unchunk takes the data out of a chunked body, in place, and returns it with the trailer section. whole tells that the body is
// complete and breaks no rule.
func Unchunk(body []byte) (data, trailer []byte, whole bool) {
	var c Chunked
	n := 0
	for p := body; len(p) > 0 && !c.Done(); {
		data, used, err := c.Next(p)
		if err != nil {
			return body[:n], nil, false
		}
		n += copy(body[n:], data)
		p = p[used:]
	}
	return body[:n], c.Trailer(), c.Done()
}
