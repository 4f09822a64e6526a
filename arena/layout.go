package arena

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of an arena.
const (
	MaxColumns     = 32      // processes at a time
	MaxRows        = 1 << 20 // counters of a part
	MaxRecords     = 1 << 18 // records of a part
	MaxRates       = 1 << 20 // rates of a part
	MaxHolds       = 1 << 20 // holds of a part, for each process
	MaxTotals      = 1 << 16 // totals of a part
	MaxParts       = 16      // beside the first
	DefaultRows    = 1 << 16
	DefaultRecords = 1 << 14
	DefaultRates   = 1 << 16
	DefaultHolds   = 1 << 15
	DefaultTotals  = 1 << 10
	DefaultColumns = 32

	Words      = 15  // of a record, beside its id
	TotalWords = 256 // of a total in each column: half a page
)

const (
	magic       = 0x616e6572612d6770 // "pg-arena"
	version     = 4                  // 1 had counters only, 2 no holds, 3 no totals
	headerSize  = 4096
	segments    = 16
	segmentAt   = 64 // offset of the segment table
	segmentSize = 32
	pageSize    = 4096

	kindCounters = 1
	kindRecords  = 2
	kindRates    = 3
	kindHolds    = 4
	kindTotals   = 5
)

// Bytes of a row, ahead of the cells.
const (
	counterSize = 8
	recordSize  = (1 + Words) * 8 // two lines of the cache, of which adjacent ones are fetched together
	windowSize  = places * 16
	maskSize    = 8
	totalSize   = 16
)

// stagger is how much further in its pages each column begins than the one before. Else all cells of a row compete for the same few
// places of the cache, and reading them may take several times as long.
const stagger = 64

// ErrLayout is the error of a descriptor that does not hold an arena of this version, or not the part that is wanted.
var ErrLayout = errors.New("arena: not an arena of this version")

// segment is an entry of the header's table: kind u32, columns u32, rows u64, offset u64, size u64. Rows come first, then for each
// column a cell for each row; both begin on a page.
//
// Behind the rows of rates and holds is one page, of which the first word counts who found no place. Rates have no cells; those of
// holds are as long as a line of the cache.
type segment struct {
	kind   uint32
	rows   int
	offset int
}

// header is what the first page of a part says.
type header struct {
	id       uint64 // of the arena: its parts have the same
	part     int    // 0 is the first
	columns  int
	opens    int64 // when keys of rates may come into this part, on the clock of Now
	counters segment
	records  segment
	rates    segment // a row is a window
	holds    segment // likewise
	totals   segment
}

// newHeader places the segments one behind the other.
func newHeader(id uint64, part, columns int, o Options) header {
	h := header{id: id, part: part, columns: columns, counters: segment{kindCounters, power(o.Rows), headerSize}}
	h.records = segment{kindRecords, power(o.Records), headerSize + h.counters.size(columns)}
	h.rates = segment{kindRates, power(o.Rates) / places, h.records.offset + h.records.size(columns)}
	h.holds = segment{kindHolds, power(o.Holds) / places, h.rates.offset + h.rates.size(columns)}
	h.totals = segment{kindTotals, power(o.Totals), h.holds.offset + h.holds.size(columns)}
	return h
}

func (h *header) total() int { return h.totals.offset + h.totals.size(h.columns) }

func (s *segment) width() int {
	switch s.kind {
	case kindRecords:
		return recordSize
	case kindRates:
		return windowSize
	case kindHolds:
		return maskSize
	case kindTotals:
		return totalSize
	}
	return counterSize
}

// cell is the size of a row in each column.
func (s *segment) cell() int {
	switch s.kind {
	case kindRates:
		return 0
	case kindHolds:
		return places * 8
	case kindTotals:
		return TotalWords * 8
	}
	return 8
}

// stride is the size of a column.
func (s *segment) stride() int {
	if s.cell() == 0 {
		return 0
	}
	return roundUp(s.rows*s.cell() + MaxColumns*stagger)
}

// tail is where the page behind the rows of rates and holds is.
func (s *segment) tail() int { return s.offset + roundUp(s.rows*s.width()) }

// column is where the pages of one begin, its cells some way behind.
func (s *segment) column(c int) int {
	first := s.tail()
	if s.kind == kindRates || s.kind == kindHolds {
		first += pageSize
	}
	return first + c*s.stride()
}

func (s *segment) size(columns int) int { return s.column(columns) - s.offset }

func roundUp(n int) int { return (n + pageSize - 1) &^ (pageSize - 1) }

func (h *header) encode() []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	le.PutUint64(b, magic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], headerSize)
	le.PutUint64(b[16:], uint64(h.total()))
	le.PutUint64(b[24:], h.id)
	le.PutUint32(b[32:], uint32(h.part))
	le.PutUint64(b[40:], uint64(h.opens))
	for i, s := range []*segment{&h.counters, &h.records, &h.rates, &h.holds, &h.totals} {
		e := b[segmentAt+i*segmentSize:]
		le.PutUint32(e, s.kind)
		le.PutUint32(e[4:], uint32(h.columns))
		le.PutUint64(e[8:], uint64(s.rows))
		le.PutUint64(e[16:], uint64(s.offset))
		le.PutUint64(e[24:], uint64(s.size(h.columns)))
	}
	return b
}

// decodeHeader checks everything that later accesses rely on. b is a private copy: the shared one may change.
func decodeHeader(b []byte, size int64) (header, error) {
	le := binary.LittleEndian
	if len(b) < headerSize || le.Uint64(b) != magic || le.Uint32(b[8:]) != version || le.Uint32(b[12:]) != headerSize {
		return header{}, fmt.Errorf("%w: header", ErrLayout)
	}
	if le.Uint64(b[16:]) != uint64(size) {
		return header{}, fmt.Errorf("%w: header says %d bytes, there are %d", ErrLayout, le.Uint64(b[16:]), size)
	}
	part := le.Uint32(b[32:])
	if part > MaxParts {
		return header{}, fmt.Errorf("%w: part %d", ErrLayout, part)
	}
	h := header{id: le.Uint64(b[24:]), part: int(part), columns: int(le.Uint32(b[segmentAt+4:])), opens: int64(le.Uint64(b[40:]))}
	for i := range segments {
		if err := h.take(b[segmentAt+i*segmentSize:], uint64(size)); err != nil {
			return header{}, err
		}
	}
	if h.counters.kind == 0 || h.records.kind == 0 || h.rates.kind == 0 || h.holds.kind == 0 || h.totals.kind == 0 {
		return header{}, fmt.Errorf("%w: no counters, records, rates, holds or totals", ErrLayout)
	}
	return h, nil
}

// take reads an entry of the segment table; of kinds that are not known nothing is wanted.
func (h *header) take(e []byte, size uint64) error {
	le := binary.LittleEndian
	into, most := &h.counters, uint64(MaxRows)
	switch le.Uint32(e) {
	case kindCounters:
	case kindRecords:
		into, most = &h.records, MaxRecords
	case kindRates:
		into, most = &h.rates, MaxRates/places
	case kindHolds:
		into, most = &h.holds, MaxHolds/places
	case kindTotals:
		into, most = &h.totals, MaxTotals
	default:
		return nil
	}
	columns, rows := le.Uint32(e[4:]), le.Uint64(e[8:])
	if columns < 1 || columns > MaxColumns || int(columns) != h.columns || rows < 1 || rows > most || rows&(rows-1) != 0 {
		return fmt.Errorf("%w: %d columns, %d rows", ErrLayout, columns, rows)
	}
	s := segment{kind: le.Uint32(e), rows: int(rows)}
	offset, length := le.Uint64(e[16:]), le.Uint64(e[24:])
	if length != uint64(s.size(h.columns)) || length > size || offset < headerSize || offset%pageSize != 0 || offset > size-length {
		return fmt.Errorf("%w: segment at %d, %d bytes, outside %d", ErrLayout, offset, length, size)
	}
	if into.kind != 0 {
		return fmt.Errorf("%w: two segments of kind %d", ErrLayout, s.kind)
	}
	s.offset = int(offset)
	*into = s
	return nil
}
