package proxy

import (
	"strings"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// attacker is a client that says in HTTP/2 whatever it likes.
type attacker struct {
	*framed
	dec  hpack.Decoder
	last uint32 // the stream begun last

	tunnel bool // outcome is there with a head of status 200
}

func (r *rig) attack() *attacker {
	a := &attacker{framed: r.dialFrames()}
	a.dec.Init(hpack.DefaultTable)
	a.write(frame.AppendSettingsAck(nil)) // of the settings that will come
	return a
}

// literal appends a field as it is: not indexed, not coded, not looked at.
func literal(dst []byte, name, value string) []byte {
	dst = append(dst, 0)
	for _, text := range []string{name, value} {
		if n := len(text); n < 127 {
			dst = append(dst, byte(n))
		} else {
			dst = append(dst, 127)
			for n -= 127; n >= 128; n >>= 7 {
				dst = append(dst, byte(n)|128)
			}
			dst = append(dst, byte(n))
		}
		dst = append(dst, text...)
	}
	return dst
}

// block makes a field block of lines "name=value". A line may begin with ":"; with a NUL it is a name alone.
func block(lines ...string) []byte {
	var b []byte
	for _, line := range lines {
		if name, only := strings.CutPrefix(line, "\x00"); only {
			b = literal(b, name, "a")
			continue
		}
		at := strings.IndexByte(line[1:], '=') + 1
		b = literal(b, line[:at], line[at+1:])
	}
	return b
}

// part is a frame of a request.
type part struct {
	data     string
	trailers []string // in place of data
	end      bool
}

// frames are the frames of a request on the next stream.
func (a *attacker) frames(end bool, fields []string, parts ...part) []byte {
	a.last += 2
	id := a.last - 1
	return append(frame.AppendHeaders(nil, id, block(fields...), end, frame.MinMaxFrame), a.more(parts...)...)
}

// more are further frames of the stream begun last.
func (a *attacker) more(parts ...part) (b []byte) {
	id := a.last - 1
	for _, p := range parts {
		if p.trailers != nil {
			b = frame.AppendHeaders(b, id, block(p.trailers...), p.end, frame.MinMaxFrame)
			continue
		}
		h := frame.Header{Length: uint32(len(p.data)), Type: frame.Data, Stream: id}
		if p.end {
			h.Flags = frame.FlagEndStream
		}
		b = append(frame.AppendHeader(b, h), p.data...)
	}
	return b
}

// outcome reads what becomes of the stream begun last: "200 body", "reset CODE" or "goaway CODE".
func (a *attacker) outcome() string {
	a.t.Helper()
	status, body := "", ""
	for {
		h, payload, ok := a.next()
		switch {
		case !ok:
			return "closed"
		case h.Type == frame.GoAway:
			_, code, _ := frame.ParseGoAway(payload)
			return "goaway " + code.String()
		case h.Type == frame.RSTStream && h.Stream == a.last-1:
			return strings.TrimSpace(status + " " + body + " reset " + frame.ParseRSTStream(payload).String())
		case h.Type == frame.Headers:
			if status = a.status(h, payload, status); status == "200" && a.tunnel {
				return status
			}
		case h.Type == frame.Data && h.Stream == a.last-1:
			body += string(payload)
		}
		if h.Stream == a.last-1 && (h.Type == frame.Data || h.Type == frame.Headers) && h.Flags.Has(frame.FlagEndStream) {
			return status + " " + body
		}
	}
}

// status decodes a head, and returns its status where it is one of the stream begun last.
func (a *attacker) status(h frame.Header, payload []byte, before string) string {
	a.t.Helper()
	var list message.Fields
	if _, _, err := a.dec.Decode(payload, &list, nil, hpack.Limit{Size: 1 << 20, Fields: 1000}); err != nil {
		a.t.Fatal(err)
	}
	if status, found := list.Lookup(":status"); found && h.Stream == a.last-1 {
		return string(status)
	}
	return before
}

// ask sends a request, and returns its outcome.
func (a *attacker) ask(end bool, fields []string, parts ...part) string {
	a.t.Helper()
	a.write(a.frames(end, fields, parts...))
	return a.outcome()
}
