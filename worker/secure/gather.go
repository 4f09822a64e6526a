package secure

import (
	"os"
	"syscall"
	"time"
)

// gather begins a message: records wait until flush. fd is the descriptor inside the callback, else 0.
func (l *link) gather(fd uintptr) *writeBuffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil {
		l.out = l.buffers.writing()
	}
	l.gathering, l.outFD, l.took = true, fd, false
	return l.out
}

// flush ends the message: what has been gathered goes out.
func (l *link) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.flushLocked()
	if l.out != nil {
		l.buffers.out.Put(l.out)
	}
	l.out, l.gathering, l.outFD = nil, false, 0
	return err
}

func (l *link) flushLocked() error {
	if l.failed != nil || l.n == 0 {
		return l.failed
	}
	n := l.n
	l.n = 0
	return l.sendLocked(l.out.records[:n])
}

// Write takes a record from crypto/tls: the next of a message, or one by itself (of a handshake, an
// alert, the answer to a KeyUpdate).
func (l *link) Write(record []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return 0, l.failed
	}
	if l.closing.Load() {
		l.farewellLocked(record)
		return len(record), nil
	}
	if l.gathering && l.n+len(record) > len(l.out.records) {
		if err := l.flushLocked(); err != nil {
			return 0, err
		}
	}
	if !l.gathering || len(record) > len(l.out.records) {
		if err := l.sendLocked(record); err != nil {
			return 0, err
		}
		return len(record), nil
	}
	l.n += copy(l.out.records[l.n:], record)
	return len(record), nil
}

// sendLocked writes b: at once inside the callback, by the ordinary way outside it or where the
// socket is full.
func (l *link) sendLocked(b []byte) error {
	if l.outFD != 0 && len(b) > 0 {
		n, errno := rawWrite(l.outFD, b)
		if errno != 0 && errno != syscall.EAGAIN {
			l.failed = os.NewSyscallError("write", errno)
			return l.failed
		}
		l.took = l.took || n > 0
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
	if l.limit > 0 {
		if l.failed = l.Conn.SetWriteDeadline(time.Now().Add(l.limit)); l.failed != nil {
			return l.failed
		}
	}
	var n int
	n, l.failed = l.Conn.Write(b)
	l.took = l.took || n > 0
	return l.failed
}

// farewellLocked writes what the socket takes of an alert before it is closed.
func (l *link) farewellLocked(alert []byte) {
	if len(alert) > 0 {
		_ = l.raw.Control(func(fd uintptr) { rawWrite(fd, alert) }) // closed right after, either way
	}
}
