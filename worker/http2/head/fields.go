package head

import (
	"encoding/binary"

	"pingap/message"
)

// connection is the set of fields that a request of HTTP/2 may not have (RFC 9113 section 8.2.2), as bits.
const connection uint64 = 1<<message.Connection | 1<<message.KeepAlive | 1<<message.ProxyConnection |
	1<<message.TransferEncoding | 1<<message.Upgrade

// aliases are the fields that a peer which reads "_" as "-" could take for one that decides about framing, routing or the
// connection. A field so spelled is dropped.
const aliases = connection | 1<<message.TE | 1<<message.HTTP2Settings | 1<<message.ContentLength |
	1<<message.Host | 1<<message.Trailer | 1<<message.Expect

// aliasMax is the length of the longest name in aliases.
const aliasMax = 17

// notInTrailer is the set of well-known fields that may not stand in a trailer (RFC 9110 section 6.5.1): framing,
// routing, request modifiers, authentication and content format.
const notInTrailer = aliases | 1<<message.Authorization | 1<<message.Cookie | 1<<message.SetCookie |
	1<<message.ContentEncoding | 1<<message.ContentType | 1<<message.ContentRange | 1<<message.Range |
	1<<message.CacheControl | 1<<message.LocationField | 1<<message.ProxyAuthorization |
	1<<message.XForwardedPort | 1<<message.XForwardedFor | 1<<message.XForwardedHost |
	1<<message.XForwardedProto | 1<<message.XRealIP

func in(set uint64, id message.Name) bool { return set>>id&1 != 0 }

// checkField judges name and value of one field (RFC 9113 sections 8.2.1 and 8.2.2). alias tells that it is to be
// dropped.
func checkField(f *message.Field) (wrong string, alias bool) {
	if len(f.Name) == 0 {
		return "empty field name", false
	}
	underscore := false
	for _, c := range f.Name {
		if !message.IsToken(c) || c >= 'A' && c <= 'Z' {
			return "field name is not a token in lower case", false
		}
		underscore = underscore || c == '_'
	}
	if wrong := checkValue(f.Value); wrong != "" {
		return wrong, false
	}
	if in(connection, f.ID) {
		return "field of the connection", false
	}
	return "", underscore && isAlias(f.Name)
}

// checkValue judges a field's value: no control characters but tab, no blank or tab at its ends.
func checkValue(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if first, last := b[0], b[len(b)-1]; first == ' ' || first == '\t' || last == ' ' || last == '\t' {
		return "field value begins or ends with a blank"
	}
	if !validValue(b) {
		return "field value has control characters"
	}
	return ""
}

// validValue is message.ValidValue, eight bytes at a time while there is nothing to look at closer.
func validValue(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		del := x ^ (ones * 0x7f)
		// Set high bits mark a byte below 0x20, or one that is 0x7f (found as zero in del).
		if ((x-ones*0x20)&^x|(del-ones)&^del)&highs != 0 && !message.ValidValue(b[i:i+8]) {
			return false
		}
	}
	return message.ValidValue(b[i:])
}

// isAlias reports whether name, "_" read as "-", is one of aliases.
func isAlias(name []byte) bool {
	if len(name) > aliasMax {
		return false
	}
	var dashed [aliasMax]byte
	for i, c := range name {
		if c == '_' {
			c = '-'
		}
		dashed[i] = c
	}
	return in(aliases, message.LookupName(dashed[:len(name)]))
}

// Trailers judges a decoded list of trailers (RFC 9113 section 8.1), and copies those that may go on to dst. The answer is
// "" for a list that is well formed. Fields that may not stand in a trailer are left out.
func Trailers(list, dst *message.Fields) string {
	fields := list.List()
	for i := range fields {
		f := &fields[i]
		if len(f.Name) > 0 && f.Name[0] == ':' {
			return "pseudo-field in a trailer"
		}
		wrong, alias := checkField(f)
		if wrong != "" {
			return wrong
		}
		if alias || in(notInTrailer, f.ID) {
			continue
		}
		dst.Add(string(f.Name), f.Value)
	}
	return ""
}

// InResponse reports whether a field of a response goes on to a client of HTTP/2: those of the connection do not, nor does
// Content-Length, which the engine writes.
func InResponse(id message.Name) bool {
	return !in(connection|1<<message.TE|1<<message.HTTP2Settings|1<<message.ContentLength, id)
}

// InTrailer reports whether a field may stand in a trailer.
func InTrailer(id message.Name) bool { return !in(notInTrailer, id) }
