package http1

import (
	"bytes"
	"encoding/binary"

	"pingap/message"
)

// aliases are the fields that a peer which reads "_" as "-" could take for one that decides about
// framing, routing or the connection. A field so spelled is dropped.
const aliases = framed | hop | 1<<message.Trailer | 1<<message.Expect

// aliasMax is the length of the longest name in aliases.
const aliasMax = 17

// parseFields reads field lines from buf, which starts behind the first line, up to and with the
// empty line. It returns how many bytes they take, 0 if they are not complete.
func parseFields(buf []byte, fields *message.Fields, max int, p *parsed, response bool) (int, *Error) {
	at := 0
	for {
		line := buf[at:]
		end := bytes.IndexByte(line, '\n')
		if end < 0 {
			return 0, incomplete(line)
		}
		if end == 0 || line[end-1] != '\r' {
			return 0, ErrLineEnd
		}
		at += end + 1
		line = line[:end-1]
		if len(line) == 0 {
			return at, nil
		}
		if fields.Len() >= max {
			return 0, ErrFieldCount
		}
		if err := parseField(line, fields, p, response); err != nil {
			return 0, err
		}
	}
}

// incomplete checks the start of a line that has no end yet as far as it can be judged: a bare CR in
// it is an error now rather than at its end.
func incomplete(line []byte) *Error {
	if i := bytes.IndexByte(line, '\r'); i >= 0 && i != len(line)-1 {
		return ErrLineEnd
	}
	return nil
}

// parseField reads one field line without its CRLF (RFC 9112 section 5).
func parseField(line []byte, fields *message.Fields, p *parsed, response bool) *Error {
	if line[0] == ' ' || line[0] == '\t' {
		return ErrFold
	}
	colon, underscore := 0, false
	for colon < len(line) && message.IsToken(line[colon]) {
		underscore = underscore || line[colon] == '_'
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return ErrFieldName
	}
	value := trim(line[colon+1:])
	if !validValue(value) {
		return ErrFieldValue
	}
	name := line[:colon:colon]
	if underscore && isAlias(name) {
		p.aliases++
		return nil
	}
	id := message.LookupName(name)
	if id != message.Unknown {
		if err := p.note(id, value, response); err != nil {
			return err
		}
	}
	fields.Append(id, name, value[:len(value):len(value)])
	return nil
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
