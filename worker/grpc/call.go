package grpc

import (
	"math"
	"strconv"
	"time"

	"pingap/message"
)

// The names of fields and the content type of gRPC over HTTP/2.
const (
	StatusField  = "grpc-status"
	MessageField = "grpc-message"
	TimeoutField = "grpc-timeout"
	ContentType  = "application/grpc"
)

// IsContentType reports whether a content type is that of gRPC: application/grpc alone, with a format behind "+", or with parameters. gRPC-web has others.
func IsContentType(value []byte) bool {
	if len(value) < len(ContentType) || !message.EqualFold(value[:len(ContentType)], ContentType) {
		return false
	}
	if len(value) == len(ContentType) {
		return true
	}
	next := value[len(ContentType)]
	return next == '+' || next == ';' || next == ' '
}

// maxTimeoutDigits is as many as grpc-timeout may have.
const maxTimeoutDigits = 8

// ParseTimeout reads the value of grpc-timeout: one to eight digits and a unit. A timeout of zero has run out already; one over 292 years is
// taken for that long.
func ParseTimeout(value []byte) (time.Duration, bool) {
	if len(value) < 2 || len(value) > maxTimeoutDigits+1 {
		return 0, false
	}
	unit := timeoutUnit(value[len(value)-1])
	if unit == 0 {
		return 0, false
	}
	n := time.Duration(0)
	for _, c := range value[:len(value)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + time.Duration(c-'0')
	}
	if n > math.MaxInt64/unit {
		return math.MaxInt64, true
	}
	return n * unit, true
}

func timeoutUnit(c byte) time.Duration {
	switch c {
	case 'H':
		return time.Hour
	case 'M':
		return time.Minute
	case 'S':
		return time.Second
	case 'm':
		return time.Millisecond
	case 'u':
		return time.Microsecond
	case 'n':
		return time.Nanosecond
	}
	return 0
}

// AppendMessage appends text as a grpc-message has it: percent-encoded but for printable ASCII.
func AppendMessage(dst []byte, text string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c > 0x7e || c == '%' {
			dst = append(dst, '%', hex[c>>4], hex[c&0xf])
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// SetStatus puts status and message into the fields of a head, which makes it a whole answer to a call ("Trailers-Only"), or into trailers.
// The HTTP status of such an answer is 200. An empty text is left out.
func SetStatus(f *message.Fields, code Code, text string) {
	var buf [256]byte
	f.Set(StatusField, strconv.AppendUint(buf[:0], uint64(code), 10))
	f.Del(MessageField)
	if text != "" {
		f.Add(MessageField, AppendMessage(buf[:0], text))
	}
}

// HasStatus reports whether fields carry a status: a head that does is all of the answer.
func HasStatus(f *message.Fields) bool {
	_, ok := f.Lookup(StatusField)
	return ok
}
