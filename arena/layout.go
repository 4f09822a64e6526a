package arena

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of an arena.
const (
	MaxColumns     = 32      // processes at a time
	MaxRows        = 1 << 20 // counters
	DefaultRows    = 1 << 16
	DefaultColumns = 32
)

const (
	magic       = 0x616e6572612d6770 // "pg-arena"
	version     = 1
	headerSize  = 4096
	segments    = 16
	segmentAt   = 64 // offset of the segment table
	segmentSize = 32
	pageSize    = 4096

	kindCounters = 1
)

// ErrLayout is the error of a descriptor that does not hold an arena of this version.
var ErrLayout = errors.New("arena: not an arena of this version")

// segment is an entry of the header's table: kind u32, columns u32, rows u64, offset u64, size u64.
type segment struct {
	kind    uint32
	columns int
	rows    int
	offset  int
	size    int
}

// counters returns the segment for the options, placed right behind the header.
func counters(columns, rows int) segment {
	size := roundUp(rows*8) * (columns + 1)
	return segment{kind: kindCounters, columns: columns, rows: rows, offset: headerSize, size: size}
}

func roundUp(n int) int { return (n + pageSize - 1) &^ (pageSize - 1) }

func encodeHeader(total int, s segment) []byte {
	h := make([]byte, headerSize)
	le := binary.LittleEndian
	le.PutUint64(h, magic)
	le.PutUint32(h[8:], version)
	le.PutUint32(h[12:], headerSize)
	le.PutUint64(h[16:], uint64(total))
	e := h[segmentAt:]
	le.PutUint32(e, s.kind)
	le.PutUint32(e[4:], uint32(s.columns))
	le.PutUint64(e[8:], uint64(s.rows))
	le.PutUint64(e[16:], uint64(s.offset))
	le.PutUint64(e[24:], uint64(s.size))
	return h
}

// decodeHeader checks everything that later accesses rely on. h is a private copy: the shared one may change.
func decodeHeader(h []byte, size int64) (segment, error) {
	le := binary.LittleEndian
	if len(h) < headerSize || le.Uint64(h) != magic || le.Uint32(h[8:]) != version || le.Uint32(h[12:]) != headerSize {
		return segment{}, fmt.Errorf("%w: header", ErrLayout)
	}
	if le.Uint64(h[16:]) != uint64(size) {
		return segment{}, fmt.Errorf("%w: header says %d bytes, there are %d", ErrLayout, le.Uint64(h[16:]), size)
	}
	for i := range segments {
		e := h[segmentAt+i*segmentSize:]
		if le.Uint32(e) != kindCounters {
			continue
		}
		columns, rows := le.Uint32(e[4:]), le.Uint64(e[8:])
		if columns < 1 || columns > MaxColumns || rows < 1 || rows > MaxRows || rows&(rows-1) != 0 {
			return segment{}, fmt.Errorf("%w: %d columns, %d rows", ErrLayout, columns, rows)
		}
		want := counters(int(columns), int(rows))
		offset, length := le.Uint64(e[16:]), le.Uint64(e[24:])
		if length != uint64(want.size) || offset < headerSize || offset%pageSize != 0 || offset > uint64(size)-length {
			return segment{}, fmt.Errorf("%w: counters at %d, %d bytes, outside %d", ErrLayout, offset, length, size)
		}
		want.offset = int(offset)
		return want, nil
	}
	return segment{}, fmt.Errorf("%w: no counters", ErrLayout)
}
