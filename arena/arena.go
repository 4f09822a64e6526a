package arena

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Errors of an arena.
var (
	// ErrFull is the error of naming one counter more than the arena has room for. It comes up when a site is built.
	ErrFull = errors.New("arena: no free row")
	// ErrReadOnly is the error of naming a counter that nobody has claimed yet, in a process that only reads.
	ErrReadOnly = errors.New("arena: no such counter, and this process only reads")
	// ErrParts is the error of growing beyond MaxParts.
	ErrParts = errors.New("arena: it has all the parts it may have")
)

// ReadOnly is the column of a process that counts nothing itself.
const ReadOnly = -1

// Options of Create; the zero value works.
type Options struct {
	Columns int // processes at a time, 1 to MaxColumns, 0 = DefaultColumns
	Rows    int // counters, rounded up to a power of two, at most MaxRows, 0 = DefaultRows
	Records int // likewise, at most MaxRecords, 0 = DefaultRecords
	Rates   int // keys at a time, likewise, 8 to MaxRates, 0 = DefaultRates
	Holds   int // keys at a time that a process holds something of, likewise, 8 to MaxHolds, 0 = DefaultHolds
	Totals  int // blocks, likewise, at most MaxTotals, 0 = DefaultTotals
}

// Arena is one mapping of the shared memory. It may be used by many goroutines.
type Arena struct {
	column   int
	writable bool
	growing  sync.Mutex              // held while a part is added
	mapped   atomic.Pointer[[]*part] // never changed, only replaced
}

// Create makes an arena. The creator belongs to no column; its descriptor (CLOEXEC) is FD.
func Create(o Options) (*Arena, error) {
	o = o.filled()
	if o.Columns < 1 || o.Columns > MaxColumns || o.Rows < 1 || o.Rows > MaxRows || o.Records < 1 || o.Records > MaxRecords ||
		o.Rates < places || o.Rates > MaxRates || o.Holds < places || o.Holds > MaxHolds || o.Totals < 1 || o.Totals > MaxTotals {
		return nil, fmt.Errorf("arena: out of range: %+v", o)
	}
	var id [8]byte
	rand.Read(id[:])
	fd, err := createPart(newHeader(binary.LittleEndian.Uint64(id[:]), 0, o.Columns, o))
	if err != nil {
		return nil, err
	}
	return Open(fd)
}

// filled has the defaults in place of zeros.
func (o Options) filled() Options {
	o.Columns = cmp.Or(o.Columns, DefaultColumns)
	o.Rows = cmp.Or(o.Rows, DefaultRows)
	o.Records = cmp.Or(o.Records, DefaultRecords)
	o.Rates = cmp.Or(o.Rates, DefaultRates)
	o.Holds = cmp.Or(o.Holds, DefaultHolds)
	o.Totals = cmp.Or(o.Totals, DefaultTotals)
	return o
}

// power rounds up to a power of two.
func power(n int) int { return 1 << bits.Len(uint(n-1)) }

// Open maps the arena behind fd, which it takes over (closed on error), for a process that counts nothing itself but may write:
// a supervisor that goes on with it, and control, which gives records away.
func Open(fd int) (*Arena, error) { return mapArena(fd, ReadOnly, true) }

// Map maps the arena behind fd, which it takes over (closed on error), for the process of this column; with
// ReadOnly the memory cannot be written.
func Map(fd, column int) (*Arena, error) { return mapArena(fd, column, column != ReadOnly) }

func mapArena(fd, column int, writable bool) (*Arena, error) {
	h, st, err := inspect(fd)
	if err == nil && (column < ReadOnly || column >= h.columns) {
		err = fmt.Errorf("arena: column %d of %d", column, h.columns)
	}
	if err == nil && h.part != 0 {
		err = fmt.Errorf("%w: part %d alone", ErrLayout, h.part)
	}
	a := &Arena{column: column, writable: writable}
	var first *part
	if err == nil {
		first, err = mapPart(fd, h, st, a.prot())
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	a.mapped.Store(&[]*part{first})
	return a, nil
}

func (a *Arena) prot() int {
	if a.writable {
		return unix.PROT_READ | unix.PROT_WRITE
	}
	return unix.PROT_READ
}

func (a *Arena) parts() []*part { return *a.mapped.Load() }

// AddPart maps a further part behind fd, which it takes over (closed on error). Parts come in their order; one that is there
// already is well. It may be called while other goroutines count.
func (a *Arena) AddPart(fd int) error {
	a.growing.Lock()
	defer a.growing.Unlock()
	parts := a.parts()
	h, st, err := inspect(fd)
	switch {
	case err != nil:
	case h.id != parts[0].id || h.columns != parts[0].columns:
		err = fmt.Errorf("%w: part %d of another arena", ErrLayout, h.part)
	case h.part > len(parts):
		err = fmt.Errorf("%w: part %d, there are %d", ErrLayout, h.part, len(parts))
	case h.part < len(parts) && parts[h.part].inode != st.Ino:
		err = fmt.Errorf("%w: another part %d", ErrLayout, h.part)
	case h.part < len(parts):
		return unix.Close(fd)
	}
	var p *part
	if err == nil {
		p, err = mapPart(fd, h, st, a.prot())
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	next := append(parts[:len(parts):len(parts)], p)
	a.mapped.Store(&next)
	return nil
}

// opening is how long after its making no key of a rate or a hold comes into a part: until then all processes have been told of it, or who knows of it
// would count there what others cannot see.
const opening = 10 * time.Second

// Grow makes a further part with room for at least that many counters, records and totals more, as far as a part may have them, and adds
// it here: its descriptor is the last of Parts. Only the supervisor calls it. Parts get larger, so that they last.
func (a *Arena) Grow(rows, records, totals int) error {
	parts := a.parts()
	if len(parts) > MaxParts {
		return ErrParts
	}
	haveRows, haveTotals := 0, 0
	for _, p := range parts {
		haveRows += p.counters.rows
		haveTotals += p.totals.rows
	}
	rows, records = min(max(rows, 0), MaxRows), min(max(records, 0), MaxRecords)
	rows = min(power(max(rows+rows/7+1, haveRows, DefaultRows)), MaxRows)
	records = min(power(max(records, a.Records(), DefaultRecords)), MaxRecords)
	if totals = min(max(totals, 0), MaxTotals); totals == 0 {
		haveTotals = 0 // most configurations need none
	}
	totals = min(power(max(totals+totals/7+1, haveTotals, DefaultTotals)), MaxTotals)
	rates, holds := min(power(max(a.Rates(), DefaultRates)), MaxRates), min(power(max(a.Holds(), DefaultHolds)), MaxHolds)
	h := newHeader(parts[0].id, len(parts), parts[0].columns, Options{Rows: rows, Records: records, Rates: rates, Holds: holds, Totals: totals})
	h.opens = Now() + opening.Nanoseconds()
	fd, err := createPart(h)
	if err != nil {
		return err
	}
	return a.AddPart(fd)
}

// Mend writes the first pages anew, for processes that map the arena next: any worker may have written rubbish over them.
func (a *Arena) Mend() {
	for _, p := range a.parts() {
		_, _ = unix.Pwrite(p.fd, p.encode(), 0) // who maps it checks everything
	}
}

// FD is the arena's descriptor, for passing on; it stays the Arena's.
func (a *Arena) FD() int { return a.parts()[0].fd }

// Parts are the descriptors of the further parts in their order, likewise.
func (a *Arena) Parts() (fds []int) {
	for _, p := range a.parts()[1:] {
		fds = append(fds, p.fd)
	}
	return fds
}

// Columns is the number of processes that can count at a time.
func (a *Arena) Columns() int { return a.parts()[0].columns }

// Close unmaps the memory. Nothing of this Arena may be used any more.
func (a *Arena) Close() error {
	var err error
	for _, p := range a.parts() {
		err = errors.Join(err, unix.Munmap(p.mem), unix.Close(p.fd))
	}
	return err
}

// ZeroColumn forgets what a dead process had counted, in all parts; totals stay, and whoever has the column next goes on with them. Only the supervisor calls it, after the process has ended.
func (a *Arena) ZeroColumn(column int) {
	for _, p := range a.parts() {
		p.zero(&p.counters, column)
		p.zero(&p.records, column)
		p.zero(&p.holds, column)
		p.unmask(column)
	}
}
