package health

import (
	"os"

	"golang.org/x/sys/unix"
)

// poller is an epoll set, edge-triggered, that is looked at now and then and never waited for.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
	by     []*target // by descriptor
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) close() { _ = unix.Close(p.fd) }

// add has events of the socket of t found from now on, until forget.
func (p *poller) add(t *target) error {
	if n := t.fd + 1 - len(p.by); n > 0 {
		p.by = append(p.by, make([]*target, n)...)
	}
	p.by[t.fd] = t
	if t.polled {
		return nil
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(t.fd)}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, t.fd, &event); err != nil {
		p.by[t.fd] = nil
		return os.NewSyscallError("epoll_ctl", err)
	}
	t.polled = true
	return nil
}

// forget is called when the socket of t is closed.
func (p *poller) forget(fd int) {
	if fd < len(p.by) {
		p.by[fd] = nil
	}
}

// look calls use for each target whose socket something has happened to. A socket is in one event at most, and use may close any:
// no new socket gets a number that an event to come still means, as long as use opens one only after it closed its own.
func (p *poller) look(use func(t *target, events uint32)) {
	for {
		n, err := unix.EpollWait(p.fd, p.events[:], 0)
		if err == unix.EINTR {
			continue
		}
		for _, e := range p.events[:max(n, 0)] {
			if t := p.by[e.Fd]; t != nil {
				use(t, e.Events)
			}
		}
		if n < len(p.events) {
			return
		}
	}
}
