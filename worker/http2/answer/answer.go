package answer

import "pingap/message"

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

// Head checks the field list of a response. It takes :status out of it, and returns the status with what
// content-length says, message.LengthUnknown if nothing.
func Head(fields *message.Fields) (status int, length int64, wrong string) {
	if status, wrong = parseStatus(fields); wrong != "" {
		return 0, 0, wrong
	}
	length, wrong = checkFields(fields)
	return status, length, wrong
}

// Ask is what must be known of a request to understand its response.
type Ask struct {
	// Head tells that the method was HEAD.
	Head bool
	// Tunnel tells that it was extended CONNECT.
	Tunnel bool
}

// Length returns how long the body of a final response is, or message.LengthUnknown. length is what Head said; end tells that the stream
// ended with the head.
func Length(status int, length int64, ask Ask, end bool) (n int64, wrong string) {
	switch {
	case ask.Head || status == 204 || status == 304:
		return 0, "" // whatever content-length says: it is that of another message
	case ask.Tunnel && status < 300:
		return message.LengthUnknown, ""
	case end && length > 0:
		return 0, "content-length without a body"
	case end:
		return 0, ""
	}
	return length, ""
}

// Trailers checks the field list of trailers, and drops what may not stand there.
func Trailers(fields *message.Fields) (wrong string) {
	list := fields.List()
	drop := false
	for i := range list {
		if wrong := checkField(&list[i]); wrong != "" {
			return wrong
		}
		drop = drop || in(notInTrailer, list[i].ID)
	}
	for id := message.Name(1); drop && id < 64; id++ {
		if in(notInTrailer, id) {
			fields.DelID(id)
		}
	}
	return ""
}

// MayTrail reports whether a field may be sent in trailers.
func MayTrail(f *message.Field) bool {
	return !in(connection|notInTrailer, f.ID) && message.ValidToken(f.Name)
}

// parseStatus takes :status out, which has to be the only pseudo-field, and the first field (RFC 9113 section 8.3.2).
func parseStatus(fields *message.Fields) (int, string) {
	list := fields.List()
	if len(list) == 0 || string(list[0].Name) != ":status" {
		return 0, "response does not begin with :status"
	}
	v := list[0].Value
	if len(v) != 3 || v[0] < '1' || v[0] > '9' || v[1] < '0' || v[1] > '9' || v[2] < '0' || v[2] > '9' {
		return 0, ":status is no status code"
	}
	status := int(v[0]-'0')*100 + int(v[1]-'0')*10 + int(v[2]-'0')
	if status == 101 {
		return 0, "status 101, which HTTP/2 does not have"
	}
	for i := range list[1:] {
		if string(list[i+1].Name) == ":status" {
			return 0, "repeated :status"
		}
	}
	fields.Del(":status")
	return status, ""
}

// checkFields checks the fields of a response, and returns its content-length.
func checkFields(fields *message.Fields) (int64, string) {
	length := message.LengthUnknown
	list := fields.List()
	for i := range list {
		f := &list[i]
		if wrong := checkField(f); wrong != "" {
			return 0, wrong
		}
		if f.ID != message.ContentLength {
			continue
		}
		n, ok := parseLength(f.Value)
		if !ok || length >= 0 {
			return 0, "malformed or repeated content-length"
		}
		length = n
	}
	return length, ""
}

// checkField checks one field (RFC 9113 section 8.2). White space around the value, which is not allowed either, is taken
// away instead: it means nothing, and servers that take values from elsewhere send it.
func checkField(f *message.Field) string {
	if len(f.Name) == 0 {
		return "empty field name"
	}
	for _, c := range f.Name {
		if !message.IsToken(c) || c >= 'A' && c <= 'Z' {
			return "field name is not a token in lower case"
		}
	}
	if !message.ValidValue(f.Value) {
		return "field value has control characters"
	}
	f.Value = trim(f.Value)
	if in(connection, f.ID) {
		return "field that belongs to a connection"
	}
	return ""
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

// Size is what a field list counts against SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113 section 10.5.1).
func Size(fields *message.Fields) int {
	n := 0
	for _, f := range fields.List() {
		n += len(f.Name) + len(f.Value) + 32
	}
	return n
}
