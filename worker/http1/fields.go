package http1

import (
	"bytes"
	"encoding/binary"
	"math/bits"

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
		if id, colon, end := plainLine(line); end > 0 && fields.Len() < max {
			value := trim(line[colon+1 : end])
			if err := p.noteKnown(id, value, response); err != nil {
				return 0, err
			}
			fields.Append(id, line[:colon:colon], value[:len(value):len(value)])
			at += end + len("\r\n")
			continue
		}
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

// plainLine looks for the colon of a field line and for its end, which is that of the value, in one pass over each: most lines are so. It
// returns 0 for the end of any other, for parseField to judge: one that is not whole or has a name that is no token, an underscore in
// it, or a control character in its value.
func plainLine(line []byte) (id message.Name, colon, end int) {
	if len(line) == 0 || !message.IsToken(line[0]) { // the empty line among others, behind which a whole body may be
		return message.Unknown, 0, 0
	}
	if colon = indexColon(line); colon < 0 {
		return message.Unknown, 0, 0
	}
	if id = message.LookupName(line[:colon]); id == message.Unknown {
		for _, c := range line[:colon] {
			if !message.IsToken(c) || c == '_' {
				return message.Unknown, 0, 0
			}
		}
	}
	end = indexControl(line, colon+1)
	if end+1 >= len(line) || line[end] != '\r' || line[end+1] != '\n' {
		return message.Unknown, 0, 0
	}
	return id, colon, end
}

// ones and highs have a bit in each of eight bytes.
const ones, highs = 0x0101010101010101, 0x8080808080808080

// indexColon returns where the first colon in b is, -1 for none. For names it is faster than bytes.IndexByte.
func indexColon(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ ones*':' // zero where there is one
		if m := (x - ones) &^ x & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] == ':' {
			return i
		}
	}
	return -1
}

// indexControl returns where the first control character in b is, from the given place on: below 0x20, or 0x7f. It returns len(b) for none.
func indexControl(b []byte, from int) int {
	i := from
	for ; i+8 <= len(b); i += 8 {
		if m := controls(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 || b[i] == 0x7f {
			return i
		}
	}
	return i
}

// controls has the high bit of each byte of x that is a control character. Above the first of them others may be marked as well.
func controls(x uint64) uint64 {
	del := x ^ ones*0x7f // zero where there is a 0x7f
	return ((x-ones*0x20)&^x | (del-ones)&^del) & highs
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
	if err := p.noteKnown(id, value, response); err != nil {
		return err
	}
	fields.Append(id, name, value[:len(value):len(value)])
	return nil
}

// validValue is message.ValidValue, eight bytes at a time while there is nothing to look at closer.
func validValue(b []byte) bool {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if controls(binary.LittleEndian.Uint64(b[i:])) != 0 && !message.ValidValue(b[i:i+8]) {
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
