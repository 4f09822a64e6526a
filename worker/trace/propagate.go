package trace

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"pingap/message"
)

// remote is what a client says of its trace.
type remote struct {
	id      message.TraceID
	parent  uint64
	sampled bool
	random  bool
}

// Lengths and flags of W3C Trace Context.
const (
	parentLength = 55 // of a traceparent of version 00
	flagSampled  = 1
	flagRandom   = 2 // level 2, section 3.2.3.5.2
)

// parseParent reads a traceparent (W3C Trace Context section 3.2). Versions to come are read as far as 00 goes.
func parseParent(text []byte) (r remote, ok bool) {
	if len(text) < parentLength || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return r, false
	}
	var version, flags [1]byte
	var id [16]byte
	var parent [8]byte
	if !unhex(version[:], text[:2]) || !unhex(id[:], text[3:35]) || !unhex(parent[:], text[36:52]) || !unhex(flags[:], text[53:55]) {
		return r, false
	}
	switch {
	case version[0] == 0xff, version[0] == 0 && len(text) != parentLength, len(text) > parentLength && text[parentLength] != '-':
		return r, false
	}
	r.id, r.parent = idOf(&id), binary.BigEndian.Uint64(parent[:])
	r.sampled, r.random = flags[0]&flagSampled != 0, flags[0]&flagRandom != 0
	return r, r.valid()
}

// valid reports whether neither id is zero.
func (r *remote) valid() bool { return r.id != message.TraceID{} && r.parent != 0 }

func idOf(b *[16]byte) message.TraceID {
	return message.TraceID{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// unhex reads lower-case digits only, as traceparent has them.
func unhex(dst, text []byte) bool {
	for _, b := range text {
		if b >= 'A' && b <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(dst, text)
	return err == nil
}

// parseJaeger reads an uber-trace-id: trace:span:parent:flags in hexadecimal, where leading zeros may be missing. Some clients encode
// the colons.
func parseJaeger(text []byte) (r remote, ok bool) {
	const longest = 32 + 16 + 16 + 2 + 3*len("%3A")
	if len(text) > longest {
		return r, false
	}
	var parts [4][]byte
	for i := range parts {
		at, sep := bytes.IndexByte(text, ':'), 1
		if at < 0 {
			if at = bytes.IndexByte(text, '%'); at >= 0 && !isColon(text[at:]) {
				return r, false
			}
			sep = len("%3A")
		}
		if (at < 0) != (i == len(parts)-1) {
			return r, false
		}
		if parts[i] = text; at >= 0 {
			parts[i], text = text[:at], text[at+sep:]
		}
	}
	var high, low, flags uint64
	low, ok = parseHex(parts[0][max(0, len(parts[0])-16):], 16)
	if ok && len(parts[0]) > 16 {
		high, ok = parseHex(parts[0][:len(parts[0])-16], 16)
	}
	if !ok {
		return r, false
	}
	if r.parent, ok = parseHex(parts[1], 16); !ok {
		return r, false
	}
	if flags, ok = parseHex(parts[3], 2); !ok {
		return r, false
	}
	r.id = message.TraceID{high, low}
	r.sampled = flags&3 != 0 // sampled, or debug, which is more
	return r, r.valid()
}

func isColon(text []byte) bool {
	return len(text) >= 3 && text[1] == '3' && text[2]|0x20 == 'a'
}

// parseHex reads a number of at most so many digits.
func parseHex(text []byte, most int) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > most {
		return 0, false
	}
	for _, b := range text {
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			b = b | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | uint64(b)
	}
	return n, true
}

// appendParent appends the traceparent of a request that goes up: its parent is the span of the attempt.
func appendParent(dst []byte, t *message.Trace) []byte {
	dst = append(dst, "00-"...)
	dst = append(message.AppendTraceID(dst, t.ID), '-')
	dst = append(message.AppendSpanID(dst, t.Upstream), '-', '0')
	flags := byte('0')
	if t.Sampled {
		flags += flagSampled
	}
	if t.Random {
		flags += flagRandom
	}
	return append(dst, flags)
}

// appendJaeger is appendParent for Jaeger. The third number, the parent's parent, is 0 as Jaeger wants it since long.
func appendJaeger(dst []byte, t *message.Trace) []byte {
	dst = append(message.AppendTraceID(dst, t.ID), ':')
	dst = append(message.AppendSpanID(dst, t.Upstream), ":0:0"...)
	if t.Sampled {
		dst[len(dst)-1] = '1'
	}
	return dst
}
