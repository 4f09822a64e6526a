package systemd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxMessageFDs is what the manager takes with one message (its own limit is 253 by the kernel).
const maxMessageFDs = 64

// Notifier sends to the service manager. The zero value and nil send nothing.
type Notifier struct {
	fd   int
	addr unix.Sockaddr
}

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

// Close ends its use.
func (n *Notifier) Close() {
	if n != nil {
		unix.Close(n.fd)
	}
}

// Send sends assignments such as READY=1, each its own argument, without waiting for room: a manager that does not read must
// not stop the supervisor.
func (n *Notifier) Send(lines ...string) error { return n.send(nil, lines) }

func (n *Notifier) send(fds []int, lines []string) error {
	if n == nil {
		return nil
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(n.fd, []byte(strings.Join(lines, "\n")), oob, n.addr, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return os.NewSyscallError("sendmsg", err)
		}
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
	err := n.send([]int{pipe[1]}, []string{"BARRIER=1"})
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	for end := time.Now().Add(limit); ; {
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
