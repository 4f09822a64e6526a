package health

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostSpares bounds the sockets of a family that wait to be used again: as many as one tick needs.
const mostSpares = 256

// spares are TCP sockets that have connected and were dissolved from their connection. To make and to close a socket is a third of what
// it costs to connect.
type spares struct {
	v4, v6 []spare
}

type spare struct {
	fd     int
	polled bool // it is in the epoll set
}

func (s *spares) of(family int) *[]spare {
	switch family {
	case unix.AF_INET:
		return &s.v4
	case unix.AF_INET6:
		return &s.v6
	}
	return nil
}

// take returns a socket, and whether it is in the epoll set; -1 for none.
func (s *spares) take(family int) (fd int, polled bool) {
	list := s.of(family)
	if list == nil || len(*list) == 0 {
		return -1, false
	}
	last := (*list)[len(*list)-1]
	*list = (*list)[:len(*list)-1]
	return last.fd, last.polled
}

// give takes the socket of t, unless it is to be closed. The connection ends with a reset.
func (s *spares) give(t *target) bool {
	list := s.of(t.family())
	if list == nil || len(*list) >= mostSpares {
		return false
	}
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC} // connect(2): dissolves the association
	if _, _, failed := unix.Syscall(unix.SYS_CONNECT, uintptr(t.fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none)); failed != 0 {
		return false
	}
	*list = append(*list, spare{t.fd, t.polled})
	return true
}

func (s *spares) close() {
	for _, list := range [][]spare{s.v4, s.v6} {
		for _, one := range list {
			_ = unix.Close(one.fd)
		}
	}
	s.v4, s.v6 = nil, nil
}
