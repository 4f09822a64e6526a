package arena

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sizeSeals keep anyone from making an access fault.
const sizeSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// row of records: the id, then the words.
type row [1 + Words]atomic.Uint64

// part is one memfd, mapped.
type part struct {
	header
	fd      int
	inode   uint64
	mem     []byte
	ids     []uint64  // of counters
	cells   [][]int64 // of counters, by column
	rows    []row     // records
	held    [][]int64 // of records, by column
	windows []window  // of rates
	evicted *atomic.Uint64
	masks   []atomic.Uint64 // of holds, by window: columns that have been in it
	lines   [][]line        // of holds, by column
	unheld  *atomic.Uint64
	blocks  []uint64             // of totals: id and mask of each
	summed  [][]block            // by column
	crowded [kindTotals + 1]bool // by kind: it was found without room, which does not change
}

// createPart returns the descriptor (CLOEXEC) of a new memfd, all zeros but the header.
func createPart(h header) (int, error) {
	fd, err := unix.MemfdCreate("pingap-arena", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, fmt.Errorf("arena: memfd_create: %w", err)
	}
	if err := write(fd, h.encode(), h.total()); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("arena: %w", err)
	}
	return fd, nil
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

// inspect validates a descriptor before anything is mapped.
func inspect(fd int) (header, unix.Stat_t, error) {
	var st unix.Stat_t
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return header{}, st, fmt.Errorf("%w: not a memfd: %w", ErrLayout, err)
	}
	if seals&sizeSeals != sizeSeals {
		return header{}, st, fmt.Errorf("%w: size is not sealed", ErrLayout)
	}
	if err := unix.Fstat(fd, &st); err != nil {
		return header{}, st, fmt.Errorf("arena: fstat: %w", err)
	}
	b := make([]byte, headerSize)
	n, err := unix.Pread(fd, b, 0)
	if err != nil {
		return header{}, st, fmt.Errorf("arena: read header: %w", err)
	}
	h, err := decodeHeader(b[:n], st.Size)
	return h, st, err
}

// mapPart maps the memory behind a descriptor that was inspected. On error the descriptor stays the caller's.
func mapPart(fd int, h header, st unix.Stat_t, prot int) (*part, error) {
	mem, err := unix.Mmap(fd, 0, int(st.Size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("arena: mmap: %w", err)
	}
	p := &part{header: h, fd: fd, inode: st.Ino, mem: mem}
	p.ids = unsafe.Slice((*uint64)(unsafe.Pointer(&mem[h.counters.offset])), h.counters.rows)
	p.rows = unsafe.Slice((*row)(unsafe.Pointer(&mem[h.records.offset])), h.records.rows)
	p.windows = unsafe.Slice((*window)(unsafe.Pointer(&mem[h.rates.offset])), h.rates.rows)
	p.evicted = (*atomic.Uint64)(unsafe.Pointer(&mem[h.rates.tail()]))
	p.masks = unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&mem[h.holds.offset])), h.holds.rows)
	p.unheld = (*atomic.Uint64)(unsafe.Pointer(&mem[h.holds.tail()]))
	p.blocks = unsafe.Slice((*uint64)(unsafe.Pointer(&mem[h.totals.offset])), 2*h.totals.rows)
	p.summed = columnsOf[block](p, &h.totals)
	p.cells, p.held, p.lines = columnsOf[int64](p, &h.counters), columnsOf[int64](p, &h.records), columnsOf[line](p, &h.holds)
	return p, nil
}

// columnsOf are the cells of a segment by column. C is as large as its cells are.
func columnsOf[C any](p *part, s *segment) (all [][]C) {
	for c := range p.columns {
		first := unsafe.Pointer(&p.mem[s.column(c)+c*stagger])
		all = append(all, unsafe.Slice((*C)(first), s.rows))
	}
	return all
}

// zero forgets a column of a segment. A hole reads as zeros and gives the pages back; columns are whole pages.
func (p *part) zero(s *segment, column int) {
	from, n := s.column(column), s.stride()
	if unix.Fallocate(p.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(from), int64(n)) == nil {
		return
	}
	words := unsafe.Slice((*int64)(unsafe.Pointer(&p.mem[from])), n/8)
	for i := range words {
		atomic.StoreInt64(&words[i], 0)
	}
}

// scanSize is how much scan reads at a time, in bytes.
const scanSize = 64 << 10

// scan reads the rows of a segment by descriptor and shows what may not be zero, whole rows from the number on. What nobody ever
// wrote has no pages, and gets none by this, as it would by reading the mapping.
func (p *part) scan(s *segment, show func(row int, data []byte)) {
	buf := make([]byte, scanSize)
	offset, width := s.offset, s.width()
	for end := offset + s.rows*width; offset < end; {
		// The position is shared with other processes and used by nobody.
		at, err := unix.Seek(p.fd, int64(offset), unix.SEEK_DATA)
		if err == unix.ENXIO || err == nil && int(at) >= end {
			return
		}
		if err == nil {
			offset += (int(at) - offset) / width * width
		}
		n, err := unix.Pread(p.fd, buf[:min(len(buf), end-offset)], int64(offset))
		if n < width || err != nil {
			return
		}
		n -= n % width
		show((offset-s.offset)/width, buf[:n])
		offset += n
	}
}
