package compression

import (
	"bytes"

	"pingap/message"
)

// coding is a content coding, in the order in which equals are preferred.
type coding uint8

const (
	identity coding = iota
	zstdCoding
	brotliCoding
	gzipCoding
	codings
)

// most is the weight 1: weights are counted in thousandths.
const most = 1000

// notNamed is the weight of what a client does not speak of.
const notNamed = -1

// accepted is what a client says of codings.
type accepted struct {
	weights [codings]int16
	any     int16 // of "*"
}

// readAccepted reads all Accept-Encoding fields of a request (RFC 9110 section 12.5.3). An element that is none is passed over. Without
// the field nothing but identity is taken: whoever can decode says so.
func readAccepted(fields *message.Fields) accepted {
	a := accepted{weights: [codings]int16{notNamed, notNamed, notNamed, notNamed}, any: notNamed}
	for i := range fields.List() {
		f := &fields.List()[i]
		if f.ID != message.AcceptEncoding {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var element []byte
			element, rest = cutElement(rest)
			a.read(element)
		}
	}
	return a
}

// cutElement cuts the first element off a list.
func cutElement(list []byte) (element, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:]
	}
	return list, nil
}

// read takes one element: codings [ weight ]. Of a coding named twice the lower weight counts.
func (a *accepted) read(element []byte) {
	name, weight := trim(element), int16(most)
	if i := bytes.IndexByte(name, ';'); i >= 0 {
		var ok bool
		if weight, ok = readWeight(trim(name[i+1:])); !ok {
			return
		}
		name = trim(name[:i])
	}
	if len(name) == 1 && name[0] == '*' {
		lower(&a.any, weight)
		return
	}
	if c, known := lookupCoding(name); known {
		lower(&a.weights[c], weight)
	}
}

func lower(weight *int16, to int16) {
	if *weight == notNamed || *weight > to {
		*weight = to
	}
}

// lookupCoding returns the coding of a name (RFC 9110 section 8.4.1); names have no case, and x-gzip is gzip.
func lookupCoding(name []byte) (coding, bool) {
	switch {
	case message.EqualFold(name, "gzip"), message.EqualFold(name, "x-gzip"):
		return gzipCoding, true
	case message.EqualFold(name, "br"):
		return brotliCoding, true
	case message.EqualFold(name, "zstd"):
		return zstdCoding, true
	case message.EqualFold(name, "identity"):
		return identity, true
	}
	return identity, false
}

// readWeight reads "q=0.5" (RFC 9110 section 12.4.2): at most three digits behind the point, nothing above 1.
func readWeight(text []byte) (int16, bool) {
	if len(text) < 3 || len(text) > 7 || text[0]|0x20 != 'q' || text[1] != '=' || text[2] != '0' && text[2] != '1' {
		return 0, false
	}
	weight := int16(text[2]-'0') * most
	if len(text) == 3 {
		return weight, true
	}
	if text[3] != '.' {
		return 0, false
	}
	place := int16(most / 10)
	for _, digit := range text[4:] {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		weight += int16(digit-'0') * place
		place /= 10
	}
	return weight, weight <= most
}

// weight is what a coding is worth to the client; 0 for one that it does not take.
func (a *accepted) weight(c coding) int16 {
	switch {
	case a.weights[c] != notNamed:
		return a.weights[c]
	case a.any != notNamed:
		return a.any
	}
	return 0
}

// plain reports whether the client takes a body without a coding: it does unless it says otherwise.
func (a *accepted) plain() bool {
	if a.weights[identity] != notNamed {
		return a.weights[identity] > 0
	}
	return a.any != 0
}

// best returns the coding of those offered that the client likes most; identity if it takes none, or likes a plain body more.
func (a *accepted) best(offered *[codings]bool) coding {
	best, weight := identity, int16(0)
	for c := identity + 1; c < codings; c++ {
		if w := a.weight(c); offered[c] && w > weight {
			best, weight = c, w
		}
	}
	if weight < a.weights[identity] {
		return identity
	}
	return best
}

// trim cuts blanks and tabs off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
