package ipc

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Acceptor accepts clients on the control socket.
type Acceptor struct {
	file *os.File
	raw  syscall.RawConn
}

// AcceptorFromFD takes over a listening SOCK_SEQPACKET socket. It is closed on error.
func AcceptorFromFD(fd int) (*Acceptor, error) {
	if err := prepare(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("ipc: listener %d: %w", fd, err)
	}
	file := os.NewFile(uintptr(fd), "ipc-listener")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("ipc: listener %d: %w", fd, err)
	}
	return &Acceptor{file: file, raw: raw}, nil
}

// Accept returns the next client, from whom descriptors are refused. Only one goroutine may accept.
func (l *Acceptor) Accept(ctx context.Context) (*Conn, error) {
	c := Conn{file: l.file}
	stop := c.watch(ctx, l.file.SetReadDeadline)
	defer stop()
	var nfd int
	var err error
	rerr := l.raw.Read(func(fd uintptr) bool {
		err = ignoringEINTR(func() (e error) {
			nfd, _, e = unix.Accept4(int(fd), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return e
		})
		return err != unix.EAGAIN && err != unix.ECONNABORTED
	})
	if err := waitError(ctx, rerr, err); err != nil {
		return nil, fmt.Errorf("ipc: accept: %w", err)
	}
	conn, err := FromFD(nfd)
	if err != nil {
		return nil, err
	}
	conn.RefuseFDs()
	return conn, nil
}

// Close closes this process's copy; the path stays, it is the supervisor's.
func (l *Acceptor) Close() error { return l.file.Close() }

// Dial connects to a control socket. The error is syscall.ENOENT or syscall.ECONNREFUSED (by errors.Is) when
// nothing runs there.
func Dial(ctx context.Context, path string) (*Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unixpacket", path)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	raw, err := nc.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	cerr := raw.Control(func(s uintptr) {
		fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	})
	if cerr != nil || err != nil {
		return nil, fmt.Errorf("ipc: dial %s: %w", path, firstError(cerr, err))
	}
	conn, err := FromFD(fd)
	if err != nil {
		return nil, err
	}
	conn.RefuseFDs()
	return conn, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
