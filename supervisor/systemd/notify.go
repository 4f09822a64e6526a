package systemd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxMessageFDs is what the manager takes with one message (its own limit is 253 by the kernel).
const maxMessageFDs = 64

// Notifier sends to the service manager, in order. The zero value and nil send nothing.
type Notifier struct {
	fd   int
	addr unix.Sockaddr

	mu     sync.Mutex // guards all below
	queue  []note     // what the manager had no room for yet
	closed bool
	empty  chan struct{} // closed when queue is empty again; nil while it is
}

// note is a message that waits. Its descriptors are its own.
type note struct {
	text string
	fds  []int
}

// A manager under load reads late, and its queue holds few messages. What does not fit is sent again after a pause that grows.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 100 * time.Millisecond
	// maxNotes bounds what waits. A manager that has not read for this long is not one any more.
	maxNotes = 512
	// lastWords is how long Close waits for the rest.
	lastWords = time.Second
)

var errNotRead = errors.New("the service manager does not read what it is sent")

// Open reads NOTIFY_SOCKET; nil where it is not set.
func Open(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' && path[0] != '@' {
		return nil, fmt.Errorf("NOTIFY_SOCKET %q: neither a path nor an abstract name", path)
	}
	// Not connected: descriptors go by sendmsg with an address, and a manager that was executed anew binds the path again.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &Notifier{fd: fd, addr: &unix.SockaddrUnix{Name: path}}, nil
}

// Close ends its use, after a moment for what still waits.
func (n *Notifier) Close() {
	if n == nil {
		return
	}
	_ = n.flush(lastWords) // nobody is left to tell
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	unix.Close(n.fd)
}

// Send sends assignments such as READY=1, each its own argument. It does not wait: what the manager has no room for follows as soon
// as it has.
func (n *Notifier) Send(lines ...string) error { return n.send(nil, lines) }

func (n *Notifier) send(fds []int, lines []string) error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m := note{text: strings.Join(lines, "\n"), fds: fds}
	if len(n.queue) == 0 {
		if err := n.put(m); err != unix.EAGAIN {
			return os.NewSyscallError("sendmsg", err)
		}
	}
	return n.keepLocked(m)
}

// put sends a message unless there is no room for it.
func (n *Notifier) put(m note) error {
	var oob []byte
	if len(m.fds) > 0 {
		oob = unix.UnixRights(m.fds...)
	}
	for {
		err := unix.Sendmsg(n.fd, []byte(m.text), oob, n.addr, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return err
		}
	}
}

// keepLocked queues a message with copies of its descriptors.
func (n *Notifier) keepLocked(m note) error {
	if len(n.queue) >= maxNotes {
		return errNotRead
	}
	own := make([]int, 0, len(m.fds))
	for _, fd := range m.fds {
		c, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			note{fds: own}.close()
			return os.NewSyscallError("dup", err)
		}
		own = append(own, c)
	}
	n.queue = append(n.queue, note{m.text, own})
	if n.empty == nil {
		n.empty = make(chan struct{})
		go n.repeat() // ends when the queue is empty, or with Close
	}
	return nil
}

func (m note) close() {
	for _, fd := range m.fds {
		unix.Close(fd)
	}
}

// repeat sends what waits.
func (n *Notifier) repeat() {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		time.Sleep(pause) // there is no event for room at a socket that is not connected
		if n.retry() {
			return
		}
	}
}

// retry sends as much as there is room for, and reports whether nothing waits any more. What fails otherwise is lost: its sender has
// gone on long ago.
func (n *Notifier) retry() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.queue) > 0 {
		if !n.closed && n.put(n.queue[0]) == unix.EAGAIN {
			return false
		}
		n.queue[0].close()
		n.queue = n.queue[1:]
	}
	close(n.empty)
	n.empty = nil
	return true
}

// flush waits until everything has been sent.
func (n *Notifier) flush(limit time.Duration) error {
	n.mu.Lock()
	empty := n.empty
	n.mu.Unlock()
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-time.After(limit):
		return errNotRead
	}
}

// Store puts descriptors into the store under a name, which has no colon. The manager drops sockets whose peer has gone by itself. There
// is no answer, not even when the store is full or not configured.
func (n *Notifier) Store(name string, fds ...int) error {
	for len(fds) > 0 {
		some := fds[:min(len(fds), maxMessageFDs)]
		if err := n.send(some, []string{"FDSTORE=1", "FDNAME=" + name}); err != nil {
			return fmt.Errorf("store %s: %w", name, err)
		}
		fds = fds[len(some):]
	}
	return nil
}

// Remove takes a name out of the store.
func (n *Notifier) Remove(name string) error {
	return n.Send("FDSTOREREMOVE=1", "FDNAME="+name)
}

// errBarrier is the error of a manager that did not come to a barrier in time.
var errBarrier = errors.New("the service manager did not answer in time")

// Barrier returns when the manager has acted on everything sent before, or limit has passed.
func (n *Notifier) Barrier(limit time.Duration) error {
	if n == nil {
		return nil
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	defer unix.Close(pipe[0])
	end := time.Now().Add(limit)
	err := n.send([]int{pipe[1]}, []string{"BARRIER=1"})
	unix.Close(pipe[1])
	if err == nil {
		err = n.flush(limit)
	}
	if err != nil {
		return err
	}
	for {
		fds := []unix.PollFd{{Fd: int32(pipe[0])}} // the manager closes its end: POLLHUP
		got, err := unix.Poll(fds, int(max(time.Until(end), 0)/time.Millisecond))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case got == 0:
			return errBarrier
		default:
			return nil
		}
	}
}

// Watchdog returns how often the manager wants a sign of life, 0 for never. After a hand-over the variable still names the
// process before this one; successor says so.
func Watchdog(getenv func(string) string, successor bool) time.Duration {
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	if pid := getenv("WATCHDOG_PID"); pid != "" && !successor && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}
