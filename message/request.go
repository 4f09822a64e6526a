package message

import "bytes"

// Method is a request method that the proxy treats in its own way; OtherMethod is passed on as it is.
type Method uint8

// The methods of RFC 9110 section 9 and PATCH (RFC 5789).
const (
	OtherMethod Method = iota
	GET
	HEAD
	POST
	PUT
	DELETE
	OPTIONS
	PATCH
	TRACE
	CONNECT
)

// Versions of the protocol as tens and units.
const (
	HTTP10 uint8 = 10
	HTTP11 uint8 = 11
	HTTP2  uint8 = 20
)

// LengthUnknown is the BodyLength of a message whose end is found otherwise: chunked, or at close.
const LengthUnknown int64 = -1

// Request is the head of a request.
type Request struct {
	// Method as received; methods are case-sensitive.
	Method []byte
	// MethodID is the method where the proxy knows it.
	MethodID Method
	// Target is path and query ("/a?b"), or "*". Of an absolute-form target only path and query
	// stay here; its authority is in Host.
	Target []byte
	// Path is the part of Target before "?", as received, or as a rewrite left it.
	Path []byte
	// Query is the part after "?", without it; HasQuery tells "/a?" from "/a".
	Query    []byte
	HasQuery bool
	// Host is the authority as received, with its port if it has one; empty in HTTP/1.0 without.
	Host []byte
	// Version is HTTP10, HTTP11 or HTTP2.
	Version uint8
	// BodyLength is the announced length of the body in bytes, 0 for none, or LengthUnknown.
	BodyLength int64
	// Fields are the header fields. Framing fields (Content-Length, Transfer-Encoding) and Host
	// are among them as received; the engine writes its own.
	Fields Fields

	mem    []byte // append-only until Reset: behind what RewritePath and NormalPath built
	normal []byte // see NormalPath; nil until asked for
}

// Reset forgets the request and keeps its memory.
func (r *Request) Reset() {
	r.Fields.Reset()
	fields, mem := r.Fields, r.mem[:0]
	*r = Request{Fields: fields, mem: mem}
}

// SetMethod sets Method and MethodID.
func (r *Request) SetMethod(method []byte) {
	r.Method = method
	r.MethodID = lookupMethod(method)
}

// SetTarget sets Target and what is derived from it. The caller guarantees target's memory until Reset.
func (r *Request) SetTarget(target []byte) {
	r.Target = target
	r.normal = nil
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		r.Path, r.Query, r.HasQuery = target[:i], target[i+1:], true
		return
	}
	r.Path, r.Query, r.HasQuery = target, nil, false
}

// RewritePath replaces the path and keeps the query. path must be a valid origin-form path; it is copied.
func (r *Request) RewritePath(path []byte) {
	start := len(r.mem)
	query, has := r.Query, r.HasQuery
	r.mem = append(r.mem, path...)
	if has {
		r.mem = append(r.mem, '?')
		r.mem = append(r.mem, query...)
	}
	r.SetTarget(r.mem[start:len(r.mem):len(r.mem)])
}

// NormalPath returns the path with dot segments and repeated slashes removed and percent-encoded
// unreserved characters decoded (RFC 3986 section 6.2.2): what locations and path-bound plugins
// match, so that "//admin" or "%61dmin" evade nothing. A path that is normal already is returned
// as it is, at the cost of one scan. The view stays valid when the path is rewritten.
func (r *Request) NormalPath() []byte {
	if isNormal(r.Path) {
		return r.Path
	}
	if r.normal == nil {
		start := len(r.mem)
		r.mem = appendNormal(r.mem, r.Path)
		r.normal = r.mem[start:len(r.mem):len(r.mem)]
	}
	return r.normal
}

// HostName returns the host without its port, in the case it came in; an IPv6 literal keeps its
// brackets.
func (r *Request) HostName() []byte { return HostOnly(r.Host) }

// HostOnly cuts the port from an authority.
func HostOnly(authority []byte) []byte {
	if len(authority) > 0 && authority[0] == '[' {
		if i := bytes.IndexByte(authority, ']'); i >= 0 {
			return authority[:i+1]
		}
		return authority
	}
	if i := bytes.IndexByte(authority, ':'); i >= 0 {
		return authority[:i]
	}
	return authority
}

// Idempotent reports whether sending the request twice is the same as once (RFC 9110 section 9.2.2).
func (r *Request) Idempotent() bool {
	switch r.MethodID {
	case GET, HEAD, PUT, DELETE, OPTIONS, TRACE:
		return true
	}
	return false
}

func lookupMethod(m []byte) Method {
	switch string(m) {
	case "GET":
		return GET
	case "POST":
		return POST
	case "HEAD":
		return HEAD
	case "PUT":
		return PUT
	case "DELETE":
		return DELETE
	case "OPTIONS":
		return OPTIONS
	case "PATCH":
		return PATCH
	case "TRACE":
		return TRACE
	case "CONNECT":
		return CONNECT
	}
	return OtherMethod
}
