package cleartext

import (
	"bytes"
	"encoding/base64"

	"pingap/message"
	"pingap/worker/http2/frame"
)

// Prefaced tells how much of the preface a connection begins with.
type Prefaced uint8

// How much of it there is.
const (
	None Prefaced = iota
	Part
	Whole
)

// Preface looks for HTTP/2's preface at the start of what came first on a connection.
func Preface(b []byte) Prefaced {
	n := min(len(b), len(frame.Preface))
	switch {
	case string(b[:n]) != frame.Preface[:n]:
		return None
	case n < len(frame.Preface):
		return Part
	}
	return Whole
}

// MentionsHTTP1 reports whether what came first on a connection is a line that ends in a version of HTTP/1.
func MentionsHTTP1(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return bytes.Contains(line, []byte(" HTTP/"))
}

// Settings returns the payload of the one HTTP2-Settings field. It has to be one of the connection: else somebody in between may
// have passed on the wish of another, and would know nothing of the tunnel through it.
func Settings(fields *message.Fields) ([]byte, bool) {
	var value []byte
	found, nominated := 0, false
	list := fields.List()
	for i := range list {
		switch list[i].ID {
		case message.HTTP2Settings:
			value = list[i].Value
			found++
		case message.Connection:
			nominated = nominated || names(list[i].Value, "http2-settings")
		}
	}
	if found != 1 || !nominated {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.AppendDecode(nil, bytes.TrimRight(value, "="))
	return payload, err == nil && len(payload)%6 == 0
}

// names reports whether a list of options has one.
func names(list []byte, option string) bool {
	for len(list) > 0 {
		var one []byte
		if one, list, _ = bytes.Cut(list, []byte{','}); message.EqualFold(bytes.Trim(one, " \t"), option) {
			return true
		}
	}
	return false
}
