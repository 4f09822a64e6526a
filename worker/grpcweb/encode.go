package grpcweb

import (
	"encoding/base64"
	"encoding/binary"

	"pingap/message"
)

// trailerFlag marks the frame that trailers are in; it is not compressed.
const trailerFlag = 0x80

// Encoder makes the body of an answer. Init or the zero value, which is for the binary form, is at the start of one.
type Encoder struct {
	text bool
	hold [2]byte // what is not a whole group of three bytes yet
	n    int
}

// Init starts the answer of a call.
func (e *Encoder) Init(c Call) { *e = Encoder{text: c.textResponse} }

// Data appends what the bytes of gRPC's answer become. In text form up to two bytes stay behind, until more come or Flush.
func (e *Encoder) Data(dst, data []byte) []byte {
	if !e.text {
		return append(dst, data...)
	}
	for e.n > 0 && len(data) > 0 {
		if e.n == len(e.hold) {
			dst = base64.StdEncoding.AppendEncode(dst, []byte{e.hold[0], e.hold[1], data[0]})
			e.n = 0
		} else {
			e.hold[e.n] = data[0]
			e.n++
		}
		data = data[1:]
	}
	whole := len(data) - len(data)%3
	dst = base64.StdEncoding.AppendEncode(dst, data[:whole])
	e.n += copy(e.hold[e.n:], data[whole:])
	return dst
}

// Flush appends what stays behind, padded, so that the client has all that came so far. It belongs in front of every write that may be the last for
// a while: at the end of a message at least, and of the body.
func (e *Encoder) Flush(dst []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(dst, e.hold[:e.n])
	e.n = 0
	return dst
}

// Trailers appends the frame that ends the body: one line for each trailer, its name in lower case. It flushes. What could not stand in a
// line is left out: in a body, where nobody else checks it any more, it would be read as further lines.
func (e *Encoder) Trailers(dst []byte, trailers *message.Fields) []byte {
	if !e.text {
		return appendTrailers(dst, trailers)
	}
	dst = e.Flush(dst) // a piece of its own
	start := len(dst)
	dst = appendTrailers(dst, trailers)
	frame := len(dst) - start
	dst = base64.StdEncoding.AppendEncode(dst, dst[start:])
	return append(dst[:start], dst[start+frame:]...)
}

func appendTrailers(dst []byte, trailers *message.Fields) []byte {
	start := len(dst)
	dst = append(dst, trailerFlag, 0, 0, 0, 0)
	for _, f := range trailers.List() {
		if !message.ValidToken(f.Name) || !message.ValidValue(f.Value) {
			continue
		}
		for _, c := range f.Name {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
		}
		dst = append(dst, ": "...)
		dst = append(append(dst, f.Value...), "\r\n"...)
	}
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-5))
	return dst
}
