package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"pingap/message"
)

// A file holds one object:
//
//	magic, length of the head (4), length of the body (8), checksum of the body (4), the boot it was written in (8), checksum of all this and the head (4)
//	head
//	body
//
// Numbers are big-endian. It is written under another name, the first line last, and renamed. Without a sync a crash of the machine may leave a file that has its length and
// not its bytes: the body's checksum is verified where the boot is another one.
const (
	fileMagic   = "PGC1"
	preludeSize = 32
	// maxHead bounds a head in bytes.
	maxHead = 1 << 20
)

var (
	errTorn = errors.New("the file is torn, or no object of a cache")
	// castagnoli is the polynomial that processors know.
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// prelude is the fixed part of a file.
type prelude struct {
	head int
	body int64
	crc  uint32
	boot uint64
}

// encode returns the prelude of a file with this head.
func (p *prelude) encode(head []byte) []byte {
	b := append(make([]byte, 0, preludeSize), fileMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(head)))
	b = binary.BigEndian.AppendUint64(b, uint64(p.body))
	b = binary.BigEndian.AppendUint32(b, p.crc)
	b = binary.BigEndian.AppendUint64(b, p.boot)
	return binary.BigEndian.AppendUint32(b, crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, head))
}

// decodePrelude reads the begin of a file that has size bytes.
func decodePrelude(b []byte, size int64) (p prelude, err error) {
	if len(b) < preludeSize || string(b[:4]) != fileMagic {
		return p, errTorn
	}
	p.head = int(binary.BigEndian.Uint32(b[4:]))
	p.body = int64(binary.BigEndian.Uint64(b[8:]))
	p.crc = binary.BigEndian.Uint32(b[16:])
	p.boot = binary.BigEndian.Uint64(b[20:])
	if p.head > maxHead || p.body < 0 || size != preludeSize+int64(p.head)+p.body {
		return p, errTorn
	}
	return p, nil
}

// decodeFile reads prelude and head; b has at least both.
func decodeFile(b []byte, p *prelude) (*Head, error) {
	if len(b) < preludeSize+p.head {
		return nil, errTorn
	}
	sum := crc32.Update(crc32.Checksum(b[:preludeSize-4], castagnoli), castagnoli, b[preludeSize:preludeSize+p.head])
	if sum != binary.BigEndian.Uint32(b[preludeSize-4:]) {
		return nil, errTorn
	}
	h, err := decodeHead(b[preludeSize : preludeSize+p.head])
	if err != nil {
		return nil, err
	}
	h.Length = p.body
	return h, nil
}

const (
	flagValidate = 1 << iota
	flagNoStale
)

// encodeHead writes all of a head but the length of its body.
func encodeHead(h *Head) []byte {
	b := appendText(nil, h.Key)
	flags := uint64(0)
	if h.Validate {
		flags |= flagValidate
	}
	if h.NoStale {
		flags |= flagNoStale
	}
	for _, n := range [...]uint64{uint64(h.Status), flags, uint64(h.Born), uint64(h.Lifetime), uint64(h.SWR), uint64(h.SIE), h.Generation} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(h.Names)))
	for _, name := range h.Names {
		b = appendText(b, name)
	}
	b = binary.AppendUvarint(b, uint64(len(h.Fields)))
	for i := range h.Fields {
		b = appendText(b, string(h.Fields[i].Name))
		b = appendText(b, string(h.Fields[i].Value))
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decodeHead reads what encodeHead wrote. The head keeps b.
func decodeHead(b []byte) (*Head, error) {
	d := decoder{rest: b}
	h := &Head{Key: string(d.text())}
	h.Status = int(d.number())
	flags := d.number()
	h.Validate, h.NoStale = flags&flagValidate != 0, flags&flagNoStale != 0
	h.Born, h.Lifetime, h.SWR, h.SIE = int64(d.number()), int64(d.number()), int64(d.number()), int64(d.number())
	h.Generation = d.number()
	names := d.count()
	for range names {
		h.Names = append(h.Names, string(d.text()))
	}
	fields := d.count()
	h.Fields = make([]message.Field, 0, min(fields, 1024))
	for range fields {
		name, value := d.text(), d.text()
		if !d.bad && (!message.ValidToken(name) || !message.ValidValue(value)) {
			return nil, errTorn
		}
		h.Fields = append(h.Fields, message.Field{ID: message.LookupName(name), Name: name, Value: value})
	}
	if d.bad || len(d.rest) > 0 || h.Status != 0 && (h.Status < 200 || h.Status > 599) || h.Lifetime < 0 || h.SWR < 0 || h.SIE < 0 {
		return nil, errTorn
	}
	return h, nil
}

// decoder takes values from the begin of a text. After a mistake it gives zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) text() []byte {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	text := d.rest[:n:n]
	d.rest = d.rest[n:]
	return text
}

// count reads how many texts follow; each has a byte at least.
func (d *decoder) count() int {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}
