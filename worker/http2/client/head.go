package client

import (
	"pingap/message"
)

// maxInterim bounds the interim responses before the final one.
const maxInterim = 32

// connection is the set of well-known fields that HTTP/2 does not have (RFC 9113 section 8.2.2), as bits. A
// message with one is malformed.
const connection uint64 = 1<<message.Connection | 1<<message.KeepAlive | 1<<message.ProxyConnection |
	1<<message.TransferEncoding | 1<<message.Upgrade

// notInTrailer is the set of well-known fields that may not stand in trailers (RFC 9110 section 6.5.1): framing,
// routing, authentication and content format. There they are dropped.
const notInTrailer uint64 = 1<<message.ContentLength | 1<<message.Host | 1<<message.TE | 1<<message.Trailer |
	1<<message.HTTP2Settings | 1<<message.Expect | 1<<message.Authorization | 1<<message.Cookie |
	1<<message.SetCookie | 1<<message.ContentEncoding | 1<<message.ContentType | 1<<message.ContentRange |
	1<<message.Range | 1<<message.CacheControl | 1<<message.LocationField | 1<<message.ProxyAuthorization

func in(set uint64, id message.Name) bool { return set>>id&1 != 0 }

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

// headLocked takes a decoded response head.
func (s *Stream) headLocked(h *head, end bool) *Error {
	status, wrong := parseStatus(&h.fields)
	if wrong != nil {
		return wrong
	}
	h.status = status
	if h.length, wrong = checkFields(&h.fields); wrong != nil {
		return wrong
	}
	if status < 200 {
		if end {
			return malformed("interim response ends the stream")
		}
		if len(s.heads) >= maxInterim {
			return malformed("too many interim responses")
		}
		h.length = 0
		s.headSize += sizeOf(&h.fields)
		s.pushHead()
		return nil
	}
	if wrong = s.lengthOf(h, end); wrong != nil {
		return wrong
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

// lengthOf settles how long the body of a final response is.
func (s *Stream) lengthOf(h *head, end bool) *Error {
	switch {
	case s.ask.head || h.status == 204 || h.status == 304:
		h.length = 0 // whatever content-length says: it is that of another message
	case s.ask.tunnel && h.status < 300:
		h.length = message.LengthUnknown
	case end && h.length > 0:
		return malformed("content-length without a body")
	case end:
		h.length = 0
	}
	return nil
}

// trailersLocked takes decoded trailers.
func (s *Stream) trailersLocked(end bool) *Error {
	if !end {
		return malformed("HEADERS inside the body")
	}
	if s.left > 0 {
		return malformed("content-length and DATA do not agree")
	}
	fields := &s.trailers.fields
	list := fields.List()
	drop := false
	for i := range list {
		if wrong := checkField(&list[i]); wrong != nil {
			return wrong
		}
		drop = drop || in(notInTrailer, list[i].ID)
	}
	for id := message.Name(1); drop && id < 64; id++ {
		if in(notInTrailer, id) {
			fields.DelID(id)
		}
	}
	s.endLocked()
	return nil
}

// parseStatus takes :status out, which has to be the only pseudo-field, and the first field (RFC 9113 section 8.3.2).
func parseStatus(fields *message.Fields) (int, *Error) {
	list := fields.List()
	if len(list) == 0 || string(list[0].Name) != ":status" {
		return 0, malformed("response does not begin with :status")
	}
	v := list[0].Value
	if len(v) != 3 || v[0] < '1' || v[0] > '9' || v[1] < '0' || v[1] > '9' || v[2] < '0' || v[2] > '9' {
		return 0, malformed(":status is no status code")
	}
	status := int(v[0]-'0')*100 + int(v[1]-'0')*10 + int(v[2]-'0')
	if status == 101 {
		return 0, malformed("status 101, which HTTP/2 does not have")
	}
	for i := range list[1:] {
		if string(list[i+1].Name) == ":status" {
			return 0, malformed("repeated :status")
		}
	}
	fields.Del(":status")
	return status, nil
}

// checkFields checks the fields of a response, and returns its content-length.
func checkFields(fields *message.Fields) (int64, *Error) {
	length := message.LengthUnknown
	list := fields.List()
	for i := range list {
		f := &list[i]
		if wrong := checkField(f); wrong != nil {
			return 0, wrong
		}
		if f.ID != message.ContentLength {
			continue
		}
		n, ok := parseLength(f.Value)
		if !ok || length >= 0 {
			return 0, malformed("malformed or repeated content-length")
		}
		length = n
	}
	return length, nil
}

// checkField checks one field (RFC 9113 section 8.2). White space around the value, which is not allowed either, is taken
// away instead: it means nothing, and servers that take values from elsewhere send it.
func checkField(f *message.Field) *Error {
	if len(f.Name) == 0 {
		return malformed("empty field name")
	}
	for _, c := range f.Name {
		if !message.IsToken(c) || c >= 'A' && c <= 'Z' {
			return malformed("field name is not a token in lower case")
		}
	}
	if !message.ValidValue(f.Value) {
		return malformed("field value has control characters")
	}
	f.Value = trim(f.Value)
	if in(connection, f.ID) {
		return malformed("field that belongs to a connection")
	}
	return nil
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// parseLength reads 1*DIGIT (RFC 9110 section 8.6), at most 18 digits.
func parseLength(value []byte) (int64, bool) {
	if len(value) == 0 || len(value) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// sizeOf is what fields count against MaxHead.
func sizeOf(fields *message.Fields) int {
	n := 0
	for _, f := range fields.List() {
		n += len(f.Name) + len(f.Value) + 32
	}
	return n
}
