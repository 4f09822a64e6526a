package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// connection is one connection to the proxy.
type connection struct {
	net.Conn              // TLS or not
	tcp      *net.TCPConn // below it
	in       *bufio.Reader
}

// open connects; the limit holds for the exchange that follows as well.
func open(addr string, limit time.Duration) (*connection, error) {
	c, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return nil, fail(Refused, err)
	}
	return &connection{c, c.(*net.TCPConn), bufio.NewReader(c)}, nil
}

// errSurplus is what waits on a connection that owes nothing.
var errSurplus = errors.New("bytes that nobody asked for")

// closed says whether the peer has closed the connection. It looks and does not wait. A connection that owes nothing and has
// bytes to read is broken: errSurplus.
func (c *connection) closed() (bool, error) {
	if c.in.Buffered() > 0 {
		return false, fail(WrongBody, errSurplus)
	}
	some, closed, err := peek(c.tcp)
	switch {
	case err != nil:
		return false, fail(Cut, err)
	case some:
		return c.closedAbove()
	}
	return closed, nil
}

// peek looks what waits to be read, and does not wait for it: some bytes, or the end.
func peek(tcp *net.TCPConn) (some, closed bool, err error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false, false, err
	}
	var n int
	var peekErr error
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, peekErr = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return false, false, err
	case errors.Is(peekErr, syscall.EAGAIN):
		return false, false, nil
	}
	return peekErr == nil && n > 0, peekErr != nil || n == 0, nil
}

// ask writes a request and reads the answer, within the limit.
func (c *connection) ask(request string, limit time.Duration) (*answer, string, error) {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, "", fail(Cut, err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		return c.refusal(err)
	}
	return c.read()
}

func (c *connection) read() (*answer, string, error) {
	a, err := readHead(c.in)
	if err != nil {
		return nil, "", err
	}
	body, err := a.body(c.in)
	return a, body, err
}

// refusal is called when a request could not be written: the proxy may have answered before it closed.
func (c *connection) refusal(writeErr error) (*answer, string, error) {
	a, body, err := c.read()
	if err != nil {
		return nil, "", fail(Reset, fmt.Errorf("write the request: %w", writeErr))
	}
	return a, body, nil
}
