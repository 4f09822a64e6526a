package hpack

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"pingap/message"
)

const (
	maxEncoder = DefaultTable // bytes of the table, whatever the peer allows
	buckets    = 64
	lowerMax   = 128 // names up to this length are lower-cased in the encoder's own memory and may go into the table
)

// Encoder compresses the field blocks of one direction of a connection.
type Encoder struct {
	table table
	heads [buckets]uint32 // by hash: the newest entry with it; see find
	seen  [buckets]uint32 // by hash: the last field with it that is not in the table
	lower [lowerMax]byte
	// The peer's table, as it will be told at the start of the next block.
	told, least, wanted int
}

// Init starts a connection, with the table that a peer has until its SETTINGS say otherwise.
func (e *Encoder) Init() {
	*e = Encoder{told: DefaultTable, least: DefaultTable, wanted: DefaultTable}
	e.table.max = DefaultTable
}

// SetMaxTable takes the peer's SETTINGS_HEADER_TABLE_SIZE, before they are acknowledged and never inside a block.
func (e *Encoder) SetMaxTable(n uint32) {
	e.wanted = int(min(n, maxEncoder))
	e.least = min(e.least, e.wanted)
	if e.least < e.told && e.least < e.wanted {
		e.least = 0
	}
	e.table.resize(e.least)
	e.table.resize(e.wanted)
}

// begin puts the updates that are owed at the start of a block: the least size since the last block, and the one that holds (section 4.2).
// Two of them are rare. The first is 0 then, because there are decoders that take a second one only while their table is empty.
func (e *Encoder) begin(dst []byte) []byte {
	if e.least == e.told && e.wanted == e.told {
		return dst
	}
	if e.least < e.told && e.least < e.wanted {
		dst = appendInteger(dst, 0x20, 5, e.least)
	}
	e.told, e.least = e.wanted, e.wanted
	return appendInteger(dst, 0x20, 5, e.wanted)
}

// AppendStatus appends the pseudo-field :status.
func (e *Encoder) AppendStatus(dst []byte, status int) []byte {
	dst = e.begin(dst)
	if index := staticStatusOf(status); index > 0 {
		return append(dst, 0x80|byte(index))
	}
	var digits [20]byte
	return e.field(dst, staticStatus, staticFields[staticStatus].Name, strconv.AppendInt(digits[:0], int64(status), 10), repeats)
}

func staticStatusOf(status int) int {
	switch status {
	case 200:
		return staticStatus
	case 204:
		return staticStatus + 1
	case 206:
		return staticStatus + 2
	case 304:
		return staticStatus + 3
	case 400:
		return staticStatus + 4
	case 404:
		return staticStatus + 5
	case 500:
		return staticStatus + 6
	}
	return 0
}

// AppendPseudo appends one of the pseudo-fields of a request.
func (e *Encoder) AppendPseudo(dst []byte, name string, value []byte) []byte {
	dst = e.begin(dst)
	index, k := 0, repeats
	switch name {
	case ":method":
		index = pick(staticMethod, value, "GET", "POST")
	case ":scheme":
		index = pick(staticScheme, value, "http", "https")
	case ":path":
		index = pick(staticPath, value, "/", "/index.html")
		if bytes.IndexByte(value, '?') >= 0 {
			k = changes
		}
	case ":authority":
		index = staticAuthority
	}
	if index < 0 {
		return append(dst, 0x80|byte(-index))
	}
	return e.field(dst, index, append(e.lower[:0], name...), value, k)
}

// pick returns the place of name and value in the static table, negative, or else that of the name.
func pick(index int, value []byte, first, second string) int {
	switch string(value) {
	case first:
		return -index
	case second:
		return -index - 1
	}
	return index
}

// Append appends a field, its name in lower case.
func (e *Encoder) Append(dst []byte, f *message.Field) []byte {
	dst = e.begin(dst)
	if r := &rules[f.ID]; r.name != nil {
		k := r.kind
		if f.ID == message.AcceptEncoding && string(f.Value) == staticTexts[staticAcceptEncoding][1] {
			return append(dst, 0x80|staticAcceptEncoding)
		}
		if f.NeverIndex {
			k = secret
		}
		return e.field(dst, int(r.index), r.name, f.Value, k)
	}
	if len(f.Name) > lowerMax {
		return appendLong(dst, f)
	}
	name := appendLower(e.lower[:0], f.Name)
	k := repeats
	if f.NeverIndex {
		k = secret
	}
	return e.field(dst, staticName(name), name, f.Value, k)
}

// field appends a field. index is the place of its name in the static table, 0 if it is not there.
func (e *Encoder) field(dst []byte, index int, name, value []byte, k kind) []byte {
	switch {
	case k == secret:
		return literal(dst, 0x10, 4, index, name, value)
	case k == changes:
		return append(appendInteger(appendName(dst, index, name), 0, 7, len(value)), value...)
	case len(name)+len(value)+overhead > e.table.max/2:
		return literal(dst, 0, 4, index, name, value)
	}
	h := hash(hash(uint64(len(name)), name), value)
	id := uint32(h >> 32)
	if at := e.find(id, name, value); at > 0 {
		return appendInteger(dst, 0x80, 7, staticLen+at)
	}
	if index == 0 && looksSecret(name) {
		return literal(dst, 0x10, 4, index, name, value)
	}
	if last := &e.seen[id%buckets]; *last != id {
		*last = id
		return literal(dst, 0, 4, index, name, value)
	}
	dst = literal(dst, 0x40, 6, index, name, value)
	e.insert(id, name, value)
	return dst
}

// insert adds an entry, in front of the others with its hash.
func (e *Encoder) insert(hash uint32, name, value []byte) {
	n := e.table.next
	entry := e.table.add(message.Unknown, name, value)
	entry.hash, entry.prev = hash, e.heads[hash%buckets]
	e.heads[hash%buckets] = n
}

// find returns the place of an entry in the dynamic table, 1 for the newest, 0 if it is not there. From heads it follows
// prev to older and older entries. What is found there may be of an entry long gone, so that only what is older than the last and
// still in the table counts, and only if all bytes are the same.
func (e *Encoder) find(hash uint32, name, value []byte) int {
	n, last := e.heads[hash%buckets], uint32(0)
	for {
		age := e.table.next - n
		if age <= last || age > uint32(e.table.len()) {
			return 0
		}
		entry := e.table.entry(n)
		if entry.hash == hash && int(entry.name) == len(name) && int(entry.value) == len(value) {
			text := e.table.bytes(entry)
			if string(text[:len(name)]) == string(name) && string(text[len(name):]) == string(value) {
				return int(age)
			}
		}
		n, last = entry.prev, age
	}
}

// literal appends a field that is spelled out (section 6.2).
func literal(dst []byte, pattern byte, bits uint, index int, name, value []byte) []byte {
	dst = appendInteger(dst, pattern, bits, index)
	if index == 0 {
		dst = appendText(dst, name)
	}
	return appendText(dst, value)
}

// appendName begins a literal without indexing: the place of the name, or the name itself.
func appendName(dst []byte, index int, name []byte) []byte {
	dst = appendInteger(dst, 0, 4, index)
	if index == 0 {
		dst = appendText(dst, name)
	}
	return dst
}

// appendText appends a string, coded where that is shorter (section 5.2).
func appendText(dst, text []byte) []byte {
	if n := codedLen(text); n < len(text) {
		return appendCoded(appendInteger(dst, 0x80, 7, n), text)
	}
	return append(appendInteger(dst, 0, 7, len(text)), text...)
}

// appendLong appends a field whose name is too long to be worth more.
func appendLong(dst []byte, f *message.Field) []byte {
	pattern := byte(0)
	if f.NeverIndex {
		pattern = 0x10
	}
	dst = appendInteger(append(dst, pattern), 0, 7, len(f.Name))
	return appendText(appendLower(dst, f.Name), f.Value)
}

func appendLower(dst, name []byte) []byte {
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// hash mixes text into h, eight bytes at a time. It need not be strong: a collision costs a comparison.
func hash(h uint64, text []byte) uint64 {
	const factor = 0x9e3779b97f4a7c15
	for len(text) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(text)) * factor
		h ^= h >> 29
		text = text[8:]
	}
	tail := uint64(len(text))
	for _, c := range text {
		tail = tail<<8 | uint64(c)
	}
	h = (h ^ tail) * factor
	return h ^ h>>29
}
