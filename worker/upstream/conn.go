package upstream

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"unsafe"

	"pingap/worker/secure"
)

// Conn is a connection to a backend. One goroutine uses it at a time.
type Conn struct {
	net.Conn
	// Secure is the same as Conn on a connection with TLS, else nil.
	Secure *secure.Conn
	// Raw is the socket's descriptor for reading and writing without the runtime's poller; with TLS only
	// by way of Secure.
	Raw syscall.RawConn
	// H2 tells that the connection speaks HTTP/2: by agreement in TLS, or by prior knowledge.
	H2 bool
	// Resumed tells that TLS went on with an earlier session.
	Resumed bool
	// Opened is when it was connected, on the clock of message.Now.
	Opened int64
	// Connect is how long connecting took, Handshake the same of TLS, in ns; -1 without TLS.
	Connect, Handshake int64
	// Uses is how often it was put back: 0 is a new connection.
	Uses int
	// Backend is the peer.
	Backend *Backend
	// Attachment belongs to the engine and stays with the connection.
	Attachment any

	key    string // of the target that it was made for
	closed atomic.Bool

	// All below belongs to the pool's mu.
	pooled       bool
	idleSince    int64
	below, above *Conn // stack of the backend; above is towards the newest
	older, newer *Conn // all idle connections of the upstream

	// look is the callback for peek, made once, with its results.
	look    func(fd uintptr)
	lookErr syscall.Errno
	lookBuf [1]byte
}

// Close closes the connection; a second call does nothing. The engine rather calls Discard.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.Backend.owner.opened(-1)
	return c.Conn.Close()
}

// Discard closes a connection that is not to be used again.
func (c *Conn) Discard() {
	_ = c.Close() // what was written is done for either way
}

// Alive reports whether an unused connection still is one: open, and nothing to read on it but what
// belongs to TLS alone (session tickets, new keys). It costs one system call. Who took the connection
// from the pool may call it.
func (c *Conn) Alive() bool {
	c.lookErr = syscall.EBADF // stays when the descriptor is closed
	if err := c.Raw.Control(c.look); err != nil {
		return false
	}
	return c.lookErr == syscall.EAGAIN
}

// SyscallConn returns Raw for who reads and writes the socket himself, and an error with TLS.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.Secure != nil {
		return nil, errors.ErrUnsupported
	}
	return c.Raw, nil
}

// peek looks at the first byte to read without taking it. 0 (end of stream) and a byte nobody asked
// for both leave no error, and so are not EAGAIN.
func (c *Conn) peek(fd uintptr) {
	if c.Secure != nil {
		if _, err := c.Secure.ReadNow(fd, c.lookBuf[:]); err == secure.ErrAgain {
			c.lookErr = syscall.EAGAIN
		}
		return
	}
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&c.lookBuf[0])),
			uintptr(len(c.lookBuf)), syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		if errno != syscall.EINTR {
			c.lookErr = errno
			return
		}
	}
}
