package http1

import (
	"bytes"

	"pingap/message"
)

// Framing is how the body of a message is delimited and what becomes of the connection.
type Framing struct {
	// Length is the body's length in bytes, 0 for no body, message.LengthUnknown otherwise.
	Length int64
	// Chunked tells that the body is chunked (Length is then LengthUnknown).
	Chunked bool
	// UntilClose tells that the body of a response ends with the connection.
	UntilClose bool
	// KeepAlive tells that the connection may be used again after this message.
	KeepAlive bool
	// Upgrade tells that the message asks for, or agrees to, another protocol.
	Upgrade bool
	// H2C tells that a request offers to go on in HTTP/2 (RFC 7540 section 3.2); such an Upgrade is never forwarded.
	H2C bool
	// Expect tells that the client waits for "100 (Continue)" before it sends its body.
	Expect bool
	// TETrailers tells that the client takes trailers.
	TETrailers bool
}

// hop is the set of well-known fields that end at this hop (RFC 9110 section 7.6.1), as bits.
const hop uint64 = 1<<message.Connection | 1<<message.KeepAlive | 1<<message.ProxyConnection |
	1<<message.TE | 1<<message.TransferEncoding | 1<<message.Upgrade | 1<<message.HTTP2Settings

// framed is the set of fields that the engine writes itself; they may not be nominated in Connection
// nor stand in a trailer.
const framed uint64 = 1<<message.ContentLength | 1<<message.Host | 1<<message.TransferEncoding

// notInTrailer is the set of well-known fields that may not stand in a trailer (RFC 9110 section 6.5.1):
// framing, routing, request modifiers, authentication and content format.
const notInTrailer = framed | hop | 1<<message.Trailer | 1<<message.Expect | 1<<message.Authorization |
	1<<message.Cookie | 1<<message.SetCookie | 1<<message.ContentEncoding | 1<<message.ContentType |
	1<<message.ContentRange | 1<<message.Range | 1<<message.CacheControl | 1<<message.LocationField |
	1<<message.ProxyAuthorization | 1<<message.XForwardedPort |
	1<<message.XForwardedFor | 1<<message.XForwardedHost | 1<<message.XForwardedProto | 1<<message.XRealIP

func in(set uint64, id message.Name) bool { return set>>id&1 != 0 }

// parsed collects what the fields of one head say about framing.
type parsed struct {
	length    int64 // -1: none seen
	coding    bool
	hosts     int
	close     bool
	keepAlive bool
	upgrade   bool // Connection lists "upgrade"
	upgrades  int  // Upgrade fields
	h2c       bool // one of them lists "h2c"
	aliases   int  // fields dropped because their names alias one that decides
	te        bool
	trailers  bool
	expect    bool
	nominated bool
}

// noteKnown is note for a field that may not be well known.
func (p *parsed) noteKnown(id message.Name, value []byte, response bool) *Error {
	if id == message.Unknown {
		return nil
	}
	return p.note(id, value, response)
}

// note looks at one well-known field while the head is parsed.
func (p *parsed) note(id message.Name, value []byte, response bool) *Error {
	switch id {
	case message.ContentLength:
		return p.noteLength(value)
	case message.TransferEncoding:
		return p.noteCoding(value)
	case message.Connection, message.ProxyConnection:
		if id == message.Connection {
			return p.noteConnection(value)
		}
	case message.Upgrade:
		p.upgrades++
		p.h2c = p.h2c || hasToken(value, "h2c")
	case message.Host:
		p.hosts++
	case message.TE:
		p.trailers = p.trailers || hasToken(value, "trailers")
	case message.Expect:
		if response {
			return nil
		}
		if !message.EqualFold(value, "100-continue") {
			return ErrExpect
		}
		p.expect = true
	}
	return nil
}

// noteLength takes Content-Length = 1*DIGIT (RFC 9110 section 8.6), at most 18 digits, once.
func (p *parsed) noteLength(value []byte) *Error {
	if p.length >= 0 {
		return ErrLengthRepeated
	}
	if len(value) == 0 || len(value) > 18 {
		return ErrLength
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return ErrLength
		}
		n = n*10 + int64(c-'0')
	}
	p.length = n
	return nil
}

// noteCoding takes Transfer-Encoding once, and only as "chunked" (RFC 9112 section 6.1).
func (p *parsed) noteCoding(value []byte) *Error {
	if p.coding {
		return ErrCodingRepeated
	}
	p.coding = true
	if message.EqualFold(value, "chunked") {
		return nil
	}
	if last := bytes.LastIndexByte(value, ','); last > 0 && message.EqualFold(trim(value[last+1:]), "chunked") &&
		!hasToken(value[:last], "chunked") && validCodings(value[:last]) {
		return ErrCodingUnknown
	}
	return ErrCoding
}

// validCodings reports whether list is a list of plain tokens.
func validCodings(list []byte) bool {
	for len(list) > 0 {
		var token []byte
		token, list = nextToken(list)
		if !message.ValidToken(token) {
			return false
		}
	}
	return true
}

// noteConnection reads the options of Connection (RFC 9110 section 7.6.1).
func (p *parsed) noteConnection(value []byte) *Error {
	for len(value) > 0 {
		var token []byte
		token, value = nextToken(value)
		switch {
		case len(token) == 0:
		case message.EqualFold(token, "close"):
			p.close = true
		case message.EqualFold(token, "keep-alive"):
			p.keepAlive = true
		case message.EqualFold(token, "upgrade"):
			p.upgrade = true
		case message.EqualFold(token, "te"):
			p.te = true
		case !message.ValidToken(token):
			return ErrConnection
		case in(framed, message.LookupName(token)):
			return ErrConnection
		default:
			p.nominated = true
		}
	}
	return nil
}

// framing draws the conclusions that requests and responses share. HTTP/2 over cleartext is settled
// between neighbours and never agreed to or forwarded: a tunnel would go around every rule here.
func (p *parsed) framing(version uint8) (f Framing, err *Error) {
	if p.coding {
		if p.length >= 0 {
			return f, ErrLengthAndCoding
		}
		if version != message.HTTP11 {
			return f, ErrCodingVersion
		}
		f.Chunked, f.Length = true, message.LengthUnknown
	} else if p.length > 0 {
		f.Length = p.length
	}
	f.KeepAlive = !p.close && (version == message.HTTP11 || p.keepAlive)
	upgrade := p.upgrade && p.upgrades == 1 && version == message.HTTP11
	f.Upgrade, f.H2C = upgrade && !p.h2c, upgrade && p.h2c
	f.Expect = p.expect && version == message.HTTP11
	f.TETrailers = p.trailers && p.te
	return f, nil
}

// dropNominated removes the fields that Connection names (RFC 9110 section 7.6.1). It happens before
// anything is added: a peer could otherwise name X-Forwarded-For, and have what the proxy says removed.
func dropNominated(fields *message.Fields) {
	for i := 0; i < fields.Len(); {
		list := fields.List()
		f := &list[i]
		if f.ID != message.Connection && f.ID != message.HTTP2Settings && !in(framed, f.ID) && nominates(list, f.Name) {
			fields.Del(string(f.Name))
			continue
		}
		i++
	}
}

// nominates reports whether a Connection field among fields names name.
func nominates(fields []message.Field, name []byte) bool {
	for i := range fields {
		if fields[i].ID == message.Connection && hasToken(fields[i].Value, string(name)) {
			return true
		}
	}
	return false
}

// hasToken reports whether a comma-separated list has a token, in any case.
func hasToken(list []byte, want string) bool {
	for len(list) > 0 {
		var token []byte
		if token, list = nextToken(list); message.EqualFold(token, want) {
			return true
		}
	}
	return false
}

// nextToken cuts the first element from a comma-separated list.
func nextToken(list []byte) (token, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trim(list[:i]), list[i+1:]
	}
	return trim(list), nil
}

// trim removes blanks and tabs around b (OWS, RFC 9110 section 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
