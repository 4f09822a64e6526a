package proxy

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pingap/message"
	"pingap/worker/drain"
)

// parking holds idle connections without goroutines in an epoll set of its own. It is level-triggered
// and listens for EPOLLRDHUP, so that bytes or a FIN which came while a connection was being parked
// wake it at once. Its epoll descriptor is itself watched by Go's poller: no thread waits in it.
type parking struct {
	file *os.File
	raw  syscall.RawConn

	mu    sync.Mutex
	conns []*conn // guarded by mu: by descriptor
}

func newParking() (*parking, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // makes os.NewFile use the poller
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "parking")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &parking{file: file, raw: raw}, nil
}

func (k *parking) close() { k.file.Close() }

// run takes up connections that have something to read, until close.
func (k *parking) run() {
	var events [64]unix.EpollEvent
	_ = k.raw.Read(func(fd uintptr) bool { // ends with an error when the file is closed
		for {
			n, err := unix.EpollWait(int(fd), events[:], 0)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n <= 0 {
				return false
			}
			for _, e := range events[:n] {
				if c := k.take(e.Fd); c != nil {
					c.p.routines.Go(c) // ends when the connection is closed or parked again
				}
			}
		}
	})
}

// park puts an idle connection into the set. Its goroutine must end if it succeeds.
func (p *Proxy) park(c *conn) bool {
	k := p.parking
	since := c.parkedPhase()
	if since == 0 {
		return false
	}
	if c.net.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	added := false
	err := c.raw.Control(func(fd uintptr) {
		k.mu.Lock()
		defer k.mu.Unlock()
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}
		if n := int(fd) + 1 - len(k.conns); n > 0 {
			k.conns = append(k.conns, make([]*conn, n)...)
		}
		k.conns[fd], c.parkedFD = c, int32(fd)
		k.set(unix.EPOLL_CTL_ADD, &event, &added)
		if !added {
			k.conns[fd], c.parkedFD = nil, -1
		}
	})
	if err != nil || !added {
		return false
	}
	p.parked.Add(1)
	return true
}

// set changes the epoll set; ok tells whether it worked.
func (k *parking) set(op int, event *unix.EpollEvent, ok *bool) {
	_ = k.raw.Control(func(epoll uintptr) {
		*ok = unix.EpollCtl(int(epoll), op, int(event.Fd), event) == nil
	})
}

// parkedPhase changes the phase from idle to parked and keeps its times; it returns 0 if the connection
// is not idle.
func (c *conn) parkedPhase() int64 {
	w := &c.wait
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase != phaseIdle {
		return 0
	}
	w.phase, w.fired = phaseParked, causeNone
	return w.since
}

// take removes the connection with a descriptor from the set; nil if there is none.
func (k *parking) take(fd int32) *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.conns[fd]
	if c != nil {
		k.takeLocked(c)
	}
	return c
}

// takeLocked removes a parked connection, which is idle then.
func (k *parking) takeLocked(c *conn) {
	fd := c.parkedFD
	k.conns[fd], c.parkedFD = nil, -1
	removed := false
	k.set(unix.EPOLL_CTL_DEL, &unix.EpollEvent{Fd: fd}, &removed)
	c.wait.mu.Lock()
	c.wait.phase, c.wait.since = phaseIdle, message.Now()
	c.wait.mu.Unlock()
	c.p.parked.Add(-1)
}

// expire closes a parked connection whose time is up, unless it has been taken up meanwhile.
func (k *parking) expire(c *conn) {
	k.mu.Lock()
	parked := c.parkedFD >= 0
	if parked {
		k.takeLocked(c)
	}
	k.mu.Unlock()
	if parked {
		if c.readable() && !c.p.cutting.Load() {
			c.p.routines.Go(c) // as in run
			return
		}
		c.end = drain.Idle
		if c.mux() != nil {
			c.linger = true
			c.p.routines.Go(closing{c}) // ends with the client, or after lingerTime
			return
		}
		c.close()
	}
}

// closing closes a connection that the client has to hear of first.
type closing struct{ c *conn }

// Run implements routines.Task.
func (k closing) Run() { k.c.close() }
