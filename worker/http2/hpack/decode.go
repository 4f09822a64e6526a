package hpack

import (
	"errors"

	"pingap/message"
)

// What is wrong with a block. Each is a connection error of type COMPRESSION_ERROR: the tables are out of step.
var (
	ErrTruncated    = errors.New("hpack: field block ends inside a field")
	ErrInteger      = errors.New("hpack: integer is too large")
	ErrIndex        = errors.New("hpack: index outside the tables")
	ErrHuffman      = errors.New("hpack: invalid huffman code or padding")
	ErrTableSize    = errors.New("hpack: table size above the limit")
	ErrUpdatePlace  = errors.New("hpack: table size update behind a field")
	ErrUpdateAbsent = errors.New("hpack: table size update is missing")
)

// Limit bounds a field list. Zero lets nothing pass.
type Limit struct {
	// Size is the sum over all fields of the lengths of name and value and 32 (RFC 7541 section 4.1), in bytes.
	Size int
	// Fields is their number.
	Fields int
}

// Decoder expands the field blocks of one direction of a connection.
type Decoder struct {
	table table
	limit int  // what we allow the table's maximum to be
	owed  bool // the limit fell below the maximum: the next block has to begin with an update
}

// Init starts a connection. maxTable is the SETTINGS_HEADER_TABLE_SIZE that we announce, in bytes, and bounds the table's memory. Whoever
// announces less than DefaultTable starts with that nevertheless, which is what a peer uses that has not seen the setting, and calls SetMaxTable later.
func (d *Decoder) Init(maxTable int) {
	*d = Decoder{limit: max(maxTable, 0)}
	d.table.max = min(d.limit, DefaultTable)
}

// SetMaxTable changes the limit, when the peer has acknowledged the setting (RFC 9113 section 4.3.1).
func (d *Decoder) SetMaxTable(n int) {
	d.limit = max(n, 0)
	d.owed = d.owed || d.limit < d.table.max
}

// pass is the work on one block.
type pass struct {
	in    []byte
	list  *message.Fields
	mem   []byte
	limit Limit // what is left of it
	over  bool
}

// Decode expands a whole block and appends its fields to list, pseudo-fields too. Names and values are views of mem, which grows by
// append, so that earlier views stay valid, or of constants; none may be written to. It returns mem as it is now, and whether the
// list was over its limit: what came from then on is missing in it, and the connection may go on. After an error it may not.
func (d *Decoder) Decode(block []byte, list *message.Fields, mem []byte, limit Limit) (grown []byte, over bool, err error) {
	p := pass{in: block, list: list, mem: mem, limit: limit}
	if err = d.updates(&p); err != nil {
		return p.mem, p.over, err
	}
	for len(p.in) > 0 {
		switch b := p.in[0]; {
		case b&0x80 != 0:
			err = d.indexed(&p)
		case b&0xc0 == 0x40:
			err = d.literal(&p, 6, true, false)
		case b&0xe0 == 0x20:
			err = ErrUpdatePlace
		default:
			err = d.literal(&p, 4, false, b&0x10 != 0)
		}
		if err != nil {
			return p.mem, p.over, err
		}
	}
	return p.mem, p.over, nil
}

// updates reads the table size updates that a block may begin with (section 6.3).
func (d *Decoder) updates(p *pass) error {
	for len(p.in) > 0 && p.in[0]&0xe0 == 0x20 {
		n, rest, err := readInteger(p.in, 5)
		if err != nil {
			return err
		}
		if n > d.limit {
			return ErrTableSize
		}
		p.in = rest
		d.table.resize(n)
		d.owed = false
	}
	if d.owed {
		return ErrUpdateAbsent
	}
	return nil
}

// indexed reads a field that stands in one of the tables (section 6.1).
func (d *Decoder) indexed(p *pass) error {
	index, rest, err := readInteger(p.in, 7)
	if err != nil {
		return err
	}
	p.in = rest
	if index > 0 && index <= staticLen {
		f := &staticFields[index]
		if p.fits(len(f.Name) + len(f.Value)) {
			p.list.Append(f.ID, f.Name, f.Value)
		}
		return nil
	}
	e := d.dynamic(index)
	if e == nil {
		return ErrIndex
	}
	if !p.fits(int(e.name + e.value)) {
		return nil
	}
	start := len(p.mem)
	p.mem = append(p.mem, d.table.bytes(e)...)
	middle := start + int(e.name)
	p.list.Append(e.id, p.mem[start:middle:middle], p.mem[middle:len(p.mem):len(p.mem)])
	return nil
}

// dynamic returns the entry of the dynamic table with an index, nil if there is none (section 2.3.3).
func (d *Decoder) dynamic(index int) *entry {
	age := index - staticLen
	if age < 1 || age > d.table.len() {
		return nil
	}
	return d.table.entry(d.table.next - uint32(age))
}

// literal reads a field that is spelled out, its value at least (section 6.2).
func (d *Decoder) literal(p *pass, bits uint, add, never bool) error {
	start := len(p.mem)
	id, name, err := d.name(p, bits)
	if err != nil {
		return err
	}
	value, err := p.text()
	if err != nil {
		return err
	}
	if add {
		d.table.add(id, name, value)
	}
	if !p.fits(len(name) + len(value)) {
		p.mem = p.mem[:start]
		return nil
	}
	p.list.Append(id, name, value)
	if never {
		fields := p.list.List()
		fields[len(fields)-1].NeverIndex = true
	}
	return nil
}

// name reads the name of a literal: an index, or 0 and a text.
func (d *Decoder) name(p *pass, bits uint) (message.Name, []byte, error) {
	index, rest, err := readInteger(p.in, bits)
	if err != nil {
		return message.Unknown, nil, err
	}
	p.in = rest
	if index == 0 {
		name, err := p.text()
		return message.LookupName(name), name, err
	}
	if index <= staticLen {
		return staticFields[index].ID, staticFields[index].Name, nil
	}
	e := d.dynamic(index)
	if e == nil {
		return message.Unknown, nil, ErrIndex
	}
	start := len(p.mem)
	p.mem = append(p.mem, d.table.bytes(e)[:e.name]...)
	return e.id, p.mem[start:len(p.mem):len(p.mem)], nil
}

// text reads a string into mem (section 5.2).
func (p *pass) text() ([]byte, error) {
	if len(p.in) == 0 {
		return nil, ErrTruncated
	}
	coded := p.in[0]&0x80 != 0
	n, rest, err := readInteger(p.in, 7)
	if err != nil {
		return nil, err
	}
	if n > len(rest) {
		return nil, ErrTruncated
	}
	p.in = rest[n:]
	start := len(p.mem)
	if !coded {
		p.mem = append(p.mem, rest[:n]...)
	} else if p.mem, err = appendDecoded(p.mem, rest[:n]); err != nil {
		return nil, err
	}
	return p.mem[start:len(p.mem):len(p.mem)], nil
}

// fits counts a field against the limit. Once one did not fit none does.
func (p *pass) fits(n int) bool {
	p.limit.Size -= n + overhead
	p.limit.Fields--
	p.over = p.over || p.limit.Size < 0 || p.limit.Fields < 0
	if p.over {
		p.limit = Limit{}
	}
	return !p.over
}
