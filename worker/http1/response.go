package http1

import (
	"bytes"

	"pingap/message"
)

// Ask is what a response parser must know of the request: it decides whether there is a body.
type Ask struct {
	// Head tells that the request's method was HEAD.
	Head bool
	// Upgrade tells that the request asked to switch protocols.
	Upgrade bool
}

// ParseResponse reads a response head from the start of buf into resp, which must be fresh or Reset.
// It returns the length of the head in bytes, or 0 and no error while it is incomplete.
func ParseResponse(buf []byte, resp *message.Response, limits *Limits, ask Ask) (int, Framing, *Error) {
	var f Framing
	line, err := parseStatusLine(buf, resp)
	if err != nil || line == 0 {
		return 0, f, tooLarge(buf, limits.Head, err)
	}
	p := parsed{length: -1}
	rest, err := parseFields(buf[line:], &resp.Fields, limits.Fields, &p, true)
	if err != nil || rest == 0 {
		return 0, f, tooLarge(buf, limits.Head, err)
	}
	if line+rest > limits.Head {
		return 0, f, ErrHeadSize
	}
	if f, err = p.framing(resp.Version); err != nil {
		return 0, f, err
	}
	if p.nominated {
		dropNominated(&resp.Fields)
	}
	frameResponse(&f, &p, resp.Status, ask)
	resp.BodyLength = f.Length
	return line + rest, f, nil
}

// frameResponse applies the rules of RFC 9112 section 6.3 that only responses have.
func frameResponse(f *Framing, p *parsed, status int, ask Ask) {
	f.Upgrade = f.Upgrade && ask.Upgrade && status == 101
	switch {
	case ask.Head || status < 200 || status == 204 || status == 304:
		f.Chunked, f.Length = false, 0
	case !f.Chunked && p.length < 0:
		f.UntilClose, f.Length, f.KeepAlive = true, message.LengthUnknown, false
	}
}

// parseStatusLine reads "HTTP-version SP status-code SP [ reason ] CRLF" (RFC 9112 section 4). The
// second blank may be missing when there is no reason: many servers leave it out.
func parseStatusLine(buf []byte, resp *message.Response) (int, *Error) {
	end := bytes.IndexByte(buf, '\n')
	if end < 0 {
		if len(buf) >= 5 && string(buf[:5]) != "HTTP/" {
			return 0, ErrStatusLine
		}
		return 0, incomplete(buf)
	}
	if end == 0 || buf[end-1] != '\r' {
		return 0, ErrLineEnd
	}
	line := buf[:end-1]
	if len(line) < 12 || line[8] != ' ' {
		return 0, ErrStatusLine
	}
	version, err := parseVersion(line[:8])
	if err != nil {
		return 0, err
	}
	code := line[9:12]
	if code[0] < '1' || code[0] > '9' || !isDigit(code[1]) || !isDigit(code[2]) {
		return 0, ErrStatusLine
	}
	if len(line) > 12 {
		if line[12] != ' ' || !validValue(line[13:]) {
			return 0, ErrStatusLine
		}
		resp.Reason = line[13:]
	}
	resp.Version = version
	resp.Status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	return end + 1, nil
}
