package arena

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
)

// Errors of Claim.
var (
	ErrNoRow = errors.New("arena: no such record")
	ErrTaken = errors.New("arena: the record belongs to something")
)

// Record is a row that belongs to something outside: control gives rows away by number and tells them by message, with the id of
// what each belongs to. Its methods are safe for many goroutines and allocate nothing.
//
// A row may be given to something else at any time, and any process may write anything: whoever reads a word bounds what it believes.
type Record struct {
	row  *row
	id   uint64
	held Counter
}

// Record returns a row, counted from 1 over all parts; nil if it is out of range or its id is another.
func (a *Arena) Record(row int, id uint64) *Record {
	p, i := a.place(row)
	if p == nil || id == 0 || p.rows[i][0].Load() != id {
		return nil
	}
	return &Record{row: &p.rows[i], id: id, held: counterOf(p.held, i, a.column)}
}

// NewRecord returns one of ordinary memory, for what has no row: it counts for this process only.
func NewRecord() *Record {
	cell := make([]int64, 1)
	r := &Record{row: new(row), id: 1, held: Counter{own: &cell[0], cells: [][]int64{cell}}}
	r.row[0].Store(r.id)
	return r
}

// place finds the part of a record's number, and its place there; nil out of range.
func (a *Arena) place(row int) (*part, int) {
	row--
	if row < 0 {
		return nil, 0
	}
	for _, p := range a.parts() {
		if row < len(p.rows) {
			return p, row
		}
		row -= len(p.rows)
	}
	return nil, 0
}

// Valid reports whether the row still belongs to what the record was got for.
func (r *Record) Valid() bool { return r.row[0].Load() == r.id }

// Word is one of the words that all processes change, 0 <= i < Words. In a mapping that only reads it must not be changed.
func (r *Record) Word(i int) *atomic.Uint64 { return &r.row[1+i] }

// Held is a figure over all processes, of which the share of a dead one is taken away: what is in flight.
func (r *Record) Held() *Counter { return &r.held }

// Records is the number of rows over all parts.
func (a *Arena) Records() int {
	n := 0
	for _, p := range a.parts() {
		n += len(p.rows)
	}
	return n
}

// Claim gives a row that is free to something: its words are zeroed, then its id is set. Held stays as it is: only processes change
// their shares, and give back what they took for whatever the row belonged to before.
func (a *Arena) Claim(row int, id uint64) error {
	p, i := a.place(row)
	switch {
	case p == nil || id == 0 || !a.writable:
		return fmt.Errorf("%w: row %d of %d, id %d", ErrNoRow, row, a.Records(), id)
	case p.rows[i][0].Load() != 0:
		return fmt.Errorf("%w: row %d", ErrTaken, row)
	}
	for w := range Words {
		p.rows[i][1+w].Store(0)
	}
	if !p.rows[i][0].CompareAndSwap(0, id) {
		return fmt.Errorf("%w: row %d", ErrTaken, row)
	}
	return nil
}

// Free takes a row from what it belonged to.
func (a *Arena) Free(row int) {
	if p, i := a.place(row); p != nil && a.writable {
		p.rows[i][0].Store(0)
	}
}

// IDs are the rows that belong to something, with their ids, for a process that has to find out.
func (a *Arena) IDs() iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		before, more := 1, true
		for _, p := range a.parts() {
			p.scan(&p.records, func(at int, data []byte) {
				row := before + at
				for ; len(data) >= recordSize && more; data = data[recordSize:] {
					if id := binary.LittleEndian.Uint64(data); id != 0 {
						more = yield(row, id)
					}
					row++
				}
			})
			if before += len(p.rows); !more {
				return
			}
		}
	}
}
