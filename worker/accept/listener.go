package accept

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Acceptor is what the listeners of a worker have in common. All fields are required.
type Acceptor struct {
	Gate  *Gate
	Serve func(c net.Conn, index int) // takes a connection over and counts it; does not wait for its end
	Pause time.Duration               // between looks whether accepting may go on
	Rest  time.Duration               // the longest that the queue of a dropped listener is worked on
	Done  <-chan struct{}             // closed when nothing is to be accepted any more
	Log   *zap.Logger
}

// Listener is this process's copy of a listening socket.
type Listener struct {
	name    string
	net     net.Listener
	index   atomic.Int32  // of the server it leads to
	exempt  bool          // from the limit of connections
	asked   atomic.Bool   // to show that Accept goes on
	proof   chan struct{} // the answer
	once    sync.Once
	closing chan struct{}
	drop    bool // what waits is accepted first; set, like patient, before closing is closed
	patient bool // also what there is no room for yet
}

// FromFD takes a listening socket over, closing it on error. It is non-blocking already, so package os leaves its flags alone.
func FromFD(fd int, name string) (*Listener, error) {
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		unix.Close(fd)
		return nil, fmt.Errorf("listener %s is not a non-blocking socket (%w)", name, errors.Join(err, unix.EINVAL))
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close() // FileListener has a duplicate
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", name, err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // the path is the supervisor's
	}
	return wrap(ln, name), nil
}

func wrap(ln net.Listener, name string) *Listener {
	return &Listener{name: name, net: ln, closing: make(chan struct{}), proof: make(chan struct{}, 1)}
}

// Lead sets the server that connections from now on belong to.
func (l *Listener) Lead(index int) { l.index.Store(int32(index)) }

// Close closes this copy at once and ends Accept.
func (l *Listener) Close() {
	l.once.Do(func() { close(l.closing) })
	l.net.Close()
}

// Drop makes Accept end once it has taken what waits. With patient it also waits for room; else what there is no room for is left
// to others that have the socket.
func (l *Listener) Drop(patient bool) {
	l.once.Do(func() {
		l.drop, l.patient = true, patient
		close(l.closing)
	})
	l.wake()
}

// wake makes a waiting Accept look around. The deadline is the runtime's: the socket does not know of it.
func (l *Listener) wake() {
	if d, ok := l.net.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(time.Unix(1, 0)) // fails on a closed listener, where nobody waits
	}
}

// FD returns a duplicate of the socket (CLOEXEC, the caller's) for passing it on.
func (l *Listener) FD() (int, error) {
	raw, err := l.raw()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return -1, err
	}
	return fd, os.NewSyscallError("dup", dupErr)
}

func (l *Listener) raw() (syscall.RawConn, error) {
	c, ok := l.net.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("listener %s has no descriptor", l.name)
	}
	return c.SyscallConn()
}

// Accept serves what comes on a listener until Close or Drop; it blocks. Over the limit of connections, and while there are
// no descriptors, it leaves clients in the backlog and looks again after a pause.
func (a *Acceptor) Accept(l *Listener) {
	for {
		l.show()
		select {
		case <-l.closing:
			a.finish(l)
			return
		default:
		}
		if a.Gate.full() && !l.exempt {
			a.pause(l, errTooMany)
			continue
		}
		c, err := l.net.Accept()
		switch {
		case err == nil:
			a.Gate.starved.Store(false)
			a.serve(c, l)
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.awake()
		case !errors.Is(err, net.ErrClosed):
			if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
				a.Gate.starved.Store(true)
			}
			a.pause(l, err)
		default:
			return
		}
	}
}

// awake undoes wake, which is seen by the select of Accept if it comes after this.
func (l *Listener) awake() {
	if d, ok := l.net.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(time.Time{})
	}
}

func (a *Acceptor) serve(c net.Conn, l *Listener) {
	a.Serve(c, int(l.index.Load()))
}

// finish closes a listener after taking what waits, if it was dropped.
func (a *Acceptor) finish(l *Listener) {
	defer l.net.Close()
	if !l.drop {
		return
	}
	raw, err := l.raw()
	if err != nil {
		return
	}
	for end := time.Now().Add(a.Rest); time.Now().Before(end); {
		if a.Gate.full() {
			if !a.room(l) {
				return
			}
			continue
		}
		c, err := next(raw, l.name)
		switch {
		case err == nil:
			a.serve(c, l)
		case errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINTR): // that one has left
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE):
			if !a.room(l) {
				return
			}
		default: // EAGAIN: nobody waits any more
			return
		}
	}
}

// room waits for a moment; false where nothing is to be waited for.
func (a *Acceptor) room(l *Listener) bool {
	if !l.patient {
		return false
	}
	select {
	case <-time.After(a.Pause):
		return true
	case <-a.Done:
		return false
	}
}

// next accepts without waiting.
func next(raw syscall.RawConn, name string) (net.Conn, error) {
	fd, acceptErr := -1, error(nil)
	err := raw.Control(func(s uintptr) {
		fd, _, acceptErr = unix.Accept4(int(s), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	})
	if err = errors.Join(err, acceptErr); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close() // FileConn has a duplicate
	return net.FileConn(file)
}

var errTooMany = errors.New("as many connections as there may be")

// pause waits for a moment, or until the listener is to end. Pauses in a row are one episode.
func (a *Acceptor) pause(l *Listener, why error) {
	if n := a.Gate.pauses.Add(1); bits.OnesCount64(n) == 1 {
		a.Log.Warn("accepting pauses", zap.String("address", l.name), zap.Int64("connections", a.Gate.Open()),
			zap.Int64("max_connections", a.Gate.Max()), zap.Uint64("pauses", n), zap.Error(why))
	}
	timer := time.NewTimer(a.Pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if !errors.Is(why, errTooMany) || !a.Gate.full() {
				return
			}
			l.show()
			timer.Reset(a.Pause)
		case <-l.closing:
			return
		}
	}
}
