package http1

import (
	"bytes"

	"pingap/message"
)

// Limits bound what a head may be. All of them must be positive.
type Limits struct {
	// Head is the largest head in bytes, request line and fields together.
	Head int
	// Fields is the largest number of fields.
	Fields int
	// Target is the longest request-target in bytes.
	Target int
}

// maxMethod is the longest method in bytes; the longest registered one has 17.
const maxMethod = 32

// ParseRequest reads a request head from the start of buf into req, which must be fresh or Reset.
// It returns the length of the head in bytes, or 0 and no error while it is incomplete.
func ParseRequest(buf []byte, req *message.Request, limits *Limits) (int, Framing, *Error) {
	var f Framing
	start := 0
	if len(buf) > 0 && buf[0] == '\r' { // one empty line is forgiven (RFC 9112 section 2.2)
		if len(buf) < 2 {
			return 0, f, nil
		}
		if buf[1] != '\n' {
			return 0, f, ErrLineEnd
		}
		start = 2
		if len(buf) > 2 && buf[2] == '\r' {
			return 0, f, ErrEmptyLines
		}
	}
	line, err := parseRequestLine(buf[start:], req, limits)
	if err != nil || line == 0 {
		return 0, f, tooLarge(buf, limits.Head, err)
	}
	p := parsed{length: -1}
	rest, err := parseFields(buf[start+line:], &req.Fields, limits.Fields, &p, false)
	if err != nil || rest == 0 {
		return 0, f, tooLarge(buf, limits.Head, err)
	}
	n := start + line + rest
	if n > limits.Head {
		return 0, f, ErrHeadSize
	}
	f, err = p.framing(req.Version)
	if err == nil {
		err = settleHost(req, p.hosts)
	}
	if err != nil {
		return 0, f, err
	}
	if p.nominated {
		dropNominated(&req.Fields)
	}
	req.BodyLength = f.Length
	return n, f, nil
}

// tooLarge turns an incomplete head that has used up its space into an error.
func tooLarge(buf []byte, max int, err *Error) *Error {
	if err == nil && len(buf) >= max {
		return ErrHeadSize
	}
	return err
}

// parseRequestLine reads "method SP request-target SP HTTP-version CRLF" (RFC 9112 section 3).
func parseRequestLine(buf []byte, req *message.Request, limits *Limits) (int, *Error) {
	end := bytes.IndexByte(buf, '\n')
	if end < 0 {
		return 0, unfinishedRequestLine(buf, limits)
	}
	if end == 0 || buf[end-1] != '\r' {
		return 0, ErrLineEnd
	}
	line := buf[:end-1]
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 || sp > maxMethod {
		return 0, ErrRequestLine
	}
	if !message.ValidToken(line[:sp]) {
		return 0, ErrMethod
	}
	req.SetMethod(line[:sp:sp])
	rest := line[sp+1:]
	sp = bytes.IndexByte(rest, ' ')
	if sp <= 0 {
		return 0, ErrRequestLine
	}
	if sp > limits.Target {
		return 0, ErrTargetSize
	}
	version, err := parseVersion(rest[sp+1:])
	if err != nil {
		return 0, err
	}
	req.Version = version
	return end + 1, parseTarget(rest[:sp:sp], req)
}

// unfinishedRequestLine judges a request line whose end has not come yet.
func unfinishedRequestLine(buf []byte, limits *Limits) *Error {
	if err := incomplete(buf); err != nil {
		return err
	}
	sp := bytes.IndexByte(buf, ' ')
	if sp < 0 && len(buf) > maxMethod || sp > maxMethod {
		return ErrRequestLine
	}
	if sp >= 0 && len(buf)-sp > limits.Target+len(" HTTP/1.1\r\n") {
		return ErrTargetSize
	}
	return nil
}

// parseVersion reads HTTP-version (RFC 9112 section 2.3).
func parseVersion(b []byte) (uint8, *Error) {
	switch string(b) {
	case "HTTP/1.1":
		return message.HTTP11, nil
	case "HTTP/1.0":
		return message.HTTP10, nil
	}
	if len(b) == 8 && string(b[:5]) == "HTTP/" && isDigit(b[5]) && b[6] == '.' && isDigit(b[7]) {
		return 0, ErrVersion
	}
	return 0, ErrVersionSyntax
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseTarget reads the request-target in its four forms (RFC 9112 section 3.2).
func parseTarget(target []byte, req *message.Request) *Error {
	for _, c := range target {
		if !message.IsTarget(c) {
			return ErrTarget
		}
	}
	switch {
	case req.MethodID == message.CONNECT:
		return ErrConnect
	case target[0] == '/':
		req.SetTarget(target)
		return checkEscapes(req.Path)
	case len(target) == 1 && target[0] == '*':
		if req.MethodID != message.OPTIONS {
			return ErrTargetForm
		}
		req.SetTarget(target)
		return nil
	}
	return parseAbsolute(target, req)
}

// checkEscapes checks the percent-encoding of a path (RFC 3986 section 2.1). Peers disagree about what a
// stray "%" means, and an encoded NUL ends the path for some. Queries are left alone: they are data,
// and browsers send any "%" in them.
func checkEscapes(path []byte) *Error {
	for at := bytes.IndexByte(path, '%'); at >= 0; {
		if at+2 >= len(path) || message.Unhex(path[at+1]) < 0 || message.Unhex(path[at+2]) < 0 || path[at+1] == '0' && path[at+2] == '0' {
			return ErrTarget
		}
		path = path[at+3:]
		at = bytes.IndexByte(path, '%')
	}
	return nil
}

// parseAbsolute reads the absolute-form; its authority takes the place of Host (section 3.2.2).
func parseAbsolute(target []byte, req *message.Request) *Error {
	colon := bytes.IndexByte(target, ':')
	if colon < 0 || !message.EqualFold(target[:colon], "http") && !message.EqualFold(target[:colon], "https") ||
		!bytes.HasPrefix(target[colon:], []byte("://")) {
		return ErrTargetForm
	}
	rest := target[colon+3:]
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if !ValidHost(rest[:end]) {
		return ErrHost
	}
	req.Host = rest[:end:end]
	path := rest[end:]
	if len(path) > 0 && path[0] == '/' {
		req.SetTarget(path)
		return checkEscapes(req.Path)
	}
	// No path: "/" is meant (RFC 9110 section 4.2.3), and a query may follow; by OPTIONS without a query
	// the server as a whole (RFC 9112 section 3.2.4).
	req.SetTarget(path)
	if len(path) == 0 && req.MethodID == message.OPTIONS {
		req.RewritePath([]byte("*"))
		return nil
	}
	req.RewritePath([]byte("/"))
	return nil
}

// settleHost checks Host (RFC 9112 section 3.2) and takes it unless the target had an authority, which
// then takes its place for everyone who comes after (section 3.2.2).
func settleHost(req *message.Request, hosts int) *Error {
	if hosts > 1 {
		return ErrHostRepeated
	}
	if hosts == 0 {
		if req.Version == message.HTTP11 {
			return ErrHostMissing
		}
		return nil
	}
	list := req.Fields.List()
	at := 0
	for list[at].ID != message.Host {
		at++
	}
	if !ValidHost(list[at].Value) {
		return ErrHost
	}
	if len(req.Host) == 0 {
		req.Host = list[at].Value
	}
	list[at].Value = req.Host
	return nil
}
