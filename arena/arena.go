package arena

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrFull is the error of naming one counter more than the arena has rows. It comes up when a site is built.
var ErrFull = errors.New("arena: no free row")

// ErrReadOnly is the error of naming a counter that nobody has claimed yet, in a process that only reads.
var ErrReadOnly = errors.New("arena: no such counter, and this process only reads")

// ReadOnly is the column of a process that counts nothing itself.
const ReadOnly = -1

// sizeSeals keep anyone from making an access fault.
const sizeSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// Options of Create; the zero value works.
type Options struct {
	Columns int // processes at a time, 1 to MaxColumns, 0 = DefaultColumns
	Rows    int // counters, rounded up to a power of two, at most MaxRows, 0 = DefaultRows
}

// Arena is one mapping of the shared memory. It may be used by many goroutines.
type Arena struct {
	fd      int
	mem     []byte
	seg     segment
	column  int
	ids     []uint64
	columns [][]int64
}

// Create makes an arena. The creator belongs to no column; its descriptor (CLOEXEC) is FD.
func Create(o Options) (*Arena, error) {
	if o.Columns == 0 {
		o.Columns = DefaultColumns
	}
	if o.Rows == 0 {
		o.Rows = DefaultRows
	}
	if o.Columns < 1 || o.Columns > MaxColumns || o.Rows < 1 || o.Rows > MaxRows {
		return nil, fmt.Errorf("arena: %d columns, %d rows: out of range", o.Columns, o.Rows)
	}
	rows := 1 << bits.Len(uint(o.Rows-1))
	seg := counters(o.Columns, rows)
	total := seg.offset + seg.size
	fd, err := unix.MemfdCreate("pingap-arena", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("arena: memfd_create: %w", err)
	}
	err = write(fd, encodeHeader(total, seg), total)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("arena: %w", err)
	}
	return mapArena(fd, ReadOnly, unix.PROT_READ|unix.PROT_WRITE)
}

func write(fd int, header []byte, total int) error {
	if err := unix.Ftruncate(fd, int64(total)); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	if _, err := unix.Pwrite(fd, header, 0); err != nil {
		return os.NewSyscallError("pwrite", err)
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, sizeSeals|unix.F_SEAL_SEAL)
	return os.NewSyscallError("seal", err)
}

// Open maps the arena behind fd, which it takes over (closed on error), for a supervisor that goes on with it.
func Open(fd int) (*Arena, error) { return mapArena(fd, ReadOnly, unix.PROT_READ|unix.PROT_WRITE) }

// Map maps the arena behind fd, which it takes over (closed on error), for the process of this column; with
// ReadOnly the memory cannot be written.
func Map(fd, column int) (*Arena, error) {
	prot := unix.PROT_READ
	if column != ReadOnly {
		prot |= unix.PROT_WRITE
	}
	return mapArena(fd, column, prot)
}

func mapArena(fd, column, prot int) (*Arena, error) {
	seg, size, err := inspect(fd)
	if err == nil && (column < ReadOnly || column >= seg.columns) {
		err = fmt.Errorf("arena: column %d of %d", column, seg.columns)
	}
	var mem []byte
	if err == nil {
		mem, err = unix.Mmap(fd, 0, int(size), prot, unix.MAP_SHARED)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	a := &Arena{fd: fd, mem: mem, seg: seg, column: column}
	stride := roundUp(seg.rows * 8)
	a.ids = unsafe.Slice((*uint64)(unsafe.Pointer(&mem[seg.offset])), seg.rows)
	for c := range seg.columns {
		first := unsafe.Pointer(&mem[seg.offset+(c+1)*stride])
		a.columns = append(a.columns, unsafe.Slice((*int64)(first), seg.rows))
	}
	return a, nil
}

// inspect validates the descriptor before anything is mapped.
func inspect(fd int) (segment, int64, error) {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return segment{}, 0, fmt.Errorf("%w: not a memfd: %w", ErrLayout, err)
	}
	if seals&sizeSeals != sizeSeals {
		return segment{}, 0, fmt.Errorf("%w: size is not sealed", ErrLayout)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return segment{}, 0, fmt.Errorf("arena: fstat: %w", err)
	}
	h := make([]byte, headerSize)
	n, err := unix.Pread(fd, h, 0)
	if err != nil {
		return segment{}, 0, fmt.Errorf("arena: read header: %w", err)
	}
	seg, err := decodeHeader(h[:n], st.Size)
	return seg, st.Size, err
}

// FD is the arena's descriptor, for passing on; it stays the Arena's.
func (a *Arena) FD() int { return a.fd }

// Columns is the number of processes that can count at a time.
func (a *Arena) Columns() int { return a.seg.columns }

// Close unmaps the memory. No Counter of this Arena may be used any more.
func (a *Arena) Close() error {
	err := unix.Munmap(a.mem)
	return errors.Join(err, unix.Close(a.fd))
}

// ZeroColumn forgets what a dead process had counted. Only the supervisor calls it, after the process has ended.
func (a *Arena) ZeroColumn(column int) {
	stride := roundUp(a.seg.rows * 8)
	offset := a.seg.offset + (column+1)*stride
	// A hole reads as zeros and gives the pages back. Whole columns are whole pages.
	err := unix.Fallocate(a.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(offset), int64(stride))
	if err == nil {
		return
	}
	for i := range a.columns[column] {
		atomic.StoreInt64(&a.columns[column][i], 0)
	}
}

// Counter returns the counter of this name ("location/api/processing"), the same one in every process and for
// the arena's whole life. Meant for building a site: it may probe many rows.
func (a *Arena) Counter(name string) (*Counter, error) {
	sum := sha256.Sum256([]byte(name))
	id := binary.LittleEndian.Uint64(sum[:])
	if id == 0 {
		id = 1 // 0 marks a free row
	}
	mask := uint64(a.seg.rows - 1)
	for i := range uint64(a.seg.rows) {
		row := int((id + i) & mask)
		got := atomic.LoadUint64(&a.ids[row])
		if got == 0 {
			if a.column == ReadOnly {
				return nil, fmt.Errorf("%w: %s", ErrReadOnly, name)
			}
			if atomic.CompareAndSwapUint64(&a.ids[row], 0, id) {
				got = id
			} else {
				got = atomic.LoadUint64(&a.ids[row]) // someone was quicker, perhaps with the same name
			}
		}
		if got == id {
			return &Counter{arena: a, row: row}, nil
		}
	}
	return nil, fmt.Errorf("%w for %s: all %d are taken", ErrFull, name, a.seg.rows)
}
