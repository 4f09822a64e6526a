package secure

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// link is the net.Conn below crypto/tls. Its reading half belongs to the goroutine that reads, under
// the read lock of crypto/tls; its writing half is guarded by mu.
type link struct {
	net.Conn // the socket
	raw      syscall.RawConn
	buffers  *Buffers
	onReady  func(fd uintptr) bool // fill, bound once

	fd    uintptr         // inside the callback only, 0 where a read may wait
	in    *[readSize]byte // nil while in[r:w] is empty
	r, w  int
	rest  int // bytes of the present record's body that crypto/tls does not have yet
	head  [headerLen]byte
	have  uint8         // bytes of head that crypto/tls has of a header that is not complete
	short bool          // the last read of the socket got less than it asked for
	eof   bool          // FIN has come
	errno syscall.Errno // of the last read

	closing atomic.Bool // what is written from now on is a farewell: nobody waits for it

	mu        sync.Mutex // guards all below, and the order of what is written
	out       *writeBuffer
	n         int // bytes in out.records
	gathering bool
	took      bool          // the socket took something of the present message, or of the last
	outFD     uintptr       // inside the callback only
	limit     time.Duration // of a write that waits; 0 leaves the deadline as it is
	failed    error         // of the first write that failed
}

// Read gives crypto/tls bytes of one record. With nothing buffered it reads the socket.
func (l *link) Read(p []byte) (int, error) {
	if l.r == l.w {
		if err := l.load(); err != nil {
			return 0, err
		}
	}
	n := l.share(l.in[l.r:l.w], len(p))
	copy(p, l.in[l.r:l.r+n])
	if l.r += n; l.r == l.w {
		l.giveBack()
	}
	return n, nil
}

// share says how many of the buffered bytes, at most limit, go to crypto/tls: none beyond the end of
// the record. So nothing complete ever waits in its buffer, which stays as small as the records are,
// and whether a piece of a record waits there is known here.
func (l *link) share(b []byte, limit int) int {
	b = b[:min(len(b), limit)]
	header := 0
	if l.rest == 0 {
		header = copy(l.head[l.have:], b)
		if l.have += uint8(header); l.have < headerLen {
			return header
		}
		l.have, l.rest = 0, int(l.head[3])<<8|int(l.head[4])
	}
	body := min(len(b)-header, l.rest)
	l.rest -= body
	return header + body
}

// betweenRecords reports whether crypto/tls has no piece of a record.
func (l *link) betweenRecords() bool { return l.rest == 0 && l.have == 0 }

// load reads the socket into the empty buffer. In the callback it does not wait.
func (l *link) load() error {
	if l.eof {
		return io.EOF
	}
	if l.fd != 0 {
		if !l.fill(l.fd) {
			return ErrAgain
		}
	} else if err := l.raw.Read(l.onReady); err != nil {
		return err
	}
	switch {
	case l.errno != 0:
		return os.NewSyscallError("read", l.errno)
	case l.eof:
		return io.EOF
	}
	return nil
}

// fill reads once; it reports whether there was something, be it the end or an error. The buffer is
// taken when the socket is ready, so that a wait holds none.
func (l *link) fill(fd uintptr) bool {
	if l.in == nil {
		l.in = l.buffers.reading()
	}
	n, errno := rawRead(fd, l.in[:])
	l.short, l.errno = n < len(l.in), errno
	if n > 0 {
		l.r, l.w = 0, n
		return true
	}
	l.giveBack()
	l.eof = errno == 0
	return errno != syscall.EAGAIN
}

// giveBack returns the empty read buffer.
func (l *link) giveBack() {
	if l.in != nil {
		l.buffers.in.Put(l.in)
		l.in, l.r, l.w = nil, 0, 0
	}
}

// SetWriteDeadline is how crypto/tls bounds its farewell, which nobody waits for here.
func (l *link) SetWriteDeadline(t time.Time) error {
	if l.closing.Load() {
		return nil
	}
	return l.Conn.SetWriteDeadline(t)
}
