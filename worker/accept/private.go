package accept

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Private makes a listener for connections of this process to itself, on an address in no folder that the kernel picks. The limit of
// connections is not for it. Anybody on the machine may find the address: what does not pass Own has to be closed.
func Private(name string) (*Listener, net.Addr, error) {
	ln, err := net.Listen("unix", "")
	if err != nil {
		return nil, nil, fmt.Errorf("listener %s: %w", name, err)
	}
	l := wrap(ln, name)
	l.exempt = true
	return l, ln.Addr(), nil
}

// Own reports whether the other end of an accepted unix connection is of this process.
func Own(c net.Conn) bool {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return cerr == nil && err == nil && int(cred.Pid) == os.Getpid()
}

// Prove asks the goroutine that accepts on a listener to show that it goes on, and reports whether it does within the limit. One
// that has been told to end counts as going on. It costs connections nothing but a look at a flag.
func (l *Listener) Prove(limit time.Duration) bool {
	select { // of an earlier question
	case <-l.proof:
	default:
	}
	l.asked.Store(true)
	l.wake()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-l.proof:
		return true
	case <-l.closing:
		return true
	case <-timer.C:
		return false
	}
}

// show answers Prove.
func (l *Listener) show() {
	if l.asked.Load() && l.asked.Swap(false) {
		select {
		case l.proof <- struct{}{}:
		default: // an answer that nobody waited for
		}
	}
}
