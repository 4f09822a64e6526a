package endpoints

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"pingap/arena"
	"pingap/ipc"
)

// rows gives away the records of an arena. Only this process does. It belongs to whoever holds the directory's lock.
type rows struct {
	arena *arena.Arena // nil for none
	total int          // rows that are known here
	free  []int        // the lowest last
	used  map[int]uint64
	// strange are rows that belonged to something before this process, which nobody has named: a worker may still know one.
	strange []int
	since   time.Time // that they are strange
	short   bool      // somebody has got none
	later   time.Time // the arena is not asked to grow before
}

func newRows(a *arena.Arena, now time.Time) rows {
	return rows{arena: a, used: map[int]uint64{}, since: now}
}

// resume takes over a row that was given away by the process before. A reference to what is not there, or twice, is none.
func (r *rows) resume(ref ipc.RecordRef) ipc.RecordRef {
	if r.arena == nil || ref.ID == 0 || r.used[ref.Row] != 0 {
		return ipc.RecordRef{}
	}
	if r.arena.Record(ref.Row, ref.ID) == nil && r.arena.Claim(ref.Row, ref.ID) != nil { // an arena that is new is claimed anew
		return ipc.RecordRef{}
	}
	r.used[ref.Row] = ref.ID
	return ref
}

// resumed is called once all that is known has been taken over.
func (r *rows) resumed() {
	if r.arena == nil {
		return
	}
	for row := range r.arena.IDs() {
		if r.used[row] == 0 {
			r.strange = append(r.strange, row)
			r.used[row] = ^uint64(0)
		}
	}
	r.extend()
}

// extend takes in rows that are new.
func (r *rows) extend() {
	if r.arena == nil {
		return
	}
	total := r.arena.Records()
	var fresh []int
	for row := total; row > r.total; row-- {
		if r.used[row] == 0 {
			fresh = append(fresh, row)
		}
	}
	r.free, r.total = append(fresh, r.free...), total
}

// ensure sees to it that there is a record, if there can be.
func (r *rows) ensure(ref *ipc.RecordRef) {
	if ref.ID != 0 || r.arena == nil {
		return
	}
	if r.total == 0 {
		r.extend()
	}
	for len(r.free) > 0 {
		row := r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
		id := newID()
		r.used[row] = id
		if r.arena.Claim(row, id) == nil {
			*ref = ipc.RecordRef{Row: row, ID: id}
			return
		} // somebody has written rubbish: the row stays unused
	}
	r.short = true
}

// release gives a row back. Nobody has used it for a while.
func (r *rows) release(ref ipc.RecordRef) {
	if ref.ID == 0 || r.used[ref.Row] != ref.ID {
		return
	}
	r.arena.Free(ref.Row)
	delete(r.used, ref.Row)
	r.free = append(r.free, ref.Row)
}

// sweep frees strange rows after their time.
func (r *rows) sweep(now time.Time) {
	if len(r.strange) == 0 || now.Sub(r.since) < linger {
		return
	}
	for _, row := range r.strange {
		r.arena.Free(row)
		delete(r.used, row)
		r.free = append(r.free, row)
	}
	r.strange = nil
}

// wanted is how many rows more there should be, 0 while enough are free.
func (r *rows) wanted() int {
	if r.arena == nil || len(r.free)+len(r.strange) >= r.total/growFrom && !r.short {
		return 0
	}
	return max(r.total, minRecords)
}

// newID is what no other record has.
func newID() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return max(1, binary.LittleEndian.Uint64(b[:])>>1)
}
