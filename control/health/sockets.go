package health

import (
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"pingap/config"
)

// backlogPause is how long a check waits to connect again to a Unix socket whose queue is full: the kernel does not tell when it is not.
const backlogPause = 50 * time.Millisecond

// begin makes the check of t, which has a place. It may be judged when this returns.
func (c *Checker) begin(t *target, now int64) {
	if t.fd >= 0 { // kept
		c.idle--
		t.reused, t.sent = true, 0
		t.stage = sending
		c.due.set(t, now+int64(t.Check.ReadTimeout))
		c.advance(t, false, now)
		return
	}
	t.deadline = now + int64(t.Check.ConnectionTimeout)
	c.connect(t, now)
}

// connect begins a connection.
func (c *Checker) connect(t *target, now int64) {
	t.reused, t.sent = false, 0
	if err := t.resolve(); err != nil {
		c.finish(t, refused("%v", err), now)
		return
	}
	err := c.dial(t)
	switch {
	case err == unix.EAGAIN: // only Unix sockets
		c.shut(t)
		t.stage = again
		c.due.set(t, min(now+int64(backlogPause), t.deadline))
		return
	case err != nil && err != unix.EINPROGRESS:
		c.finish(t, outcomeOf(err), now)
		return
	}
	t.stage = connecting
	if t.Check.Scheme == config.HealthTCP && c.connectedAtOnce(t, now) {
		return
	}
	if err := c.poll.add(t); err != nil {
		c.finish(t, outcome{unmade, err.Error()}, now)
		return
	}
	c.due.set(t, t.deadline)
}

// connectedAtOnce asks for the result of a connection that was just begun. On this host it is there by now, which costs less than to be told
// of it later. It reports whether the check has ended.
func (c *Checker) connectedAtOnce(t *target, now int64) bool {
	if t.family() == unix.AF_UNIX {
		return false
	}
	switch err := unix.Connect(t.fd, t.to); err {
	case nil, unix.EISCONN:
		c.advance(t, false, now)
	case unix.EALREADY, unix.EINTR:
		if !t.spare {
			return false
		}
		// It still has the error of the reset that ended the connection before, and is to be told of others only.
		number, err := unix.GetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && (number == 0 || unix.Errno(number) == unix.ECONNRESET) {
			return false
		}
		c.finish(t, outcomeOf(unix.Errno(number)), now)
	default:
		c.finish(t, outcomeOf(err), now)
	}
	return true
}

// resolve makes the address one that the kernel takes.
func (t *target) resolve() error {
	if t.to != nil {
		return nil
	}
	if t.Address.Network == "unix" {
		t.to = &unix.SockaddrUnix{Name: t.Address.Path}
		return nil
	}
	ip, err := netip.ParseAddr(t.Address.Host)
	if err != nil {
		return errNoAddress
	}
	if ip = ip.Unmap(); ip.Is4() {
		t.to = &unix.SockaddrInet4{Port: t.Address.Port, Addr: ip.As4()}
		return nil
	}
	to := &unix.SockaddrInet6{Port: t.Address.Port, Addr: ip.As16()}
	if zone := ip.Zone(); zone != "" {
		i, err := net.InterfaceByName(zone)
		if err != nil {
			return err
		}
		to.ZoneId = uint32(i.Index)
	}
	t.to = to
	return nil
}

// dial begins to connect, by a socket that was used before where there is one.
func (c *Checker) dial(t *target) (err error) {
	family := t.family()
	if t.fd, t.polled = c.spares.take(family); t.fd >= 0 {
		t.spare = true
		_ = unix.SetsockoptInt(t.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
		if err = unix.Connect(t.fd, t.to); err == nil || err == unix.EINPROGRESS {
			return err
		}
		c.shut(t) // a fresh one tells whether the backend is to blame
	}
	t.spare, t.polled = false, false
	if t.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		t.fd = -1
		return err
	}
	if family != unix.AF_UNIX {
		// Closed by a reset: a thousand checks a second would leave 60,000 sockets in TIME_WAIT.
		if err := unix.SetsockoptLinger(t.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
		// The kernel is not to hurry with its acknowledgement of the backend's SYN: it goes with the request, and the reset comes in its
		// place where there is none, so that the backend's kernel wakes nobody for a connection that is gone.
		_ = unix.SetsockoptInt(t.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
	}
	return unix.Connect(t.fd, t.to)
}

func (t *target) family() int {
	switch t.to.(type) {
	case *unix.SockaddrInet4:
		return unix.AF_INET
	case *unix.SockaddrInet6:
		return unix.AF_INET6
	}
	return unix.AF_UNIX
}

// shut closes the socket of t, if it has one.
func (c *Checker) shut(t *target) {
	if t.fd < 0 {
		return
	}
	c.poll.forget(t.fd)
	_ = unix.Close(t.fd) // takes it out of the epoll set too
	t.fd, t.in = -1, nil
	if t.stage == resting {
		c.idle--
	}
}

// happened is called when something happened to the socket of t.
func (c *Checker) happened(t *target, events uint32, now int64) {
	switch {
	case t.stage == resting:
		if events&^unix.EPOLLOUT != 0 { // the backend closed what was kept, or says what nobody asked for
			c.shut(t)
		}
	case t.stage == connecting && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0:
	default:
		c.advance(t, events&(unix.EPOLLERR|unix.EPOLLHUP) != 0, now)
	}
}

// advance takes a check as far as it gets without waiting. suspect tells that the socket may have failed.
func (c *Checker) advance(t *target, suspect bool, now int64) {
	if t.stage == connecting {
		if err := c.connected(t, suspect); err != nil {
			c.finish(t, outcomeOf(err), now)
			return
		}
		if t.Check.Scheme == config.HealthTCP {
			if c.spares.give(t) {
				c.poll.forget(t.fd)
				t.fd = -1
			}
			c.finish(t, outcome{}, now)
			return
		}
		t.stage = sending
		c.due.set(t, now+int64(t.Check.ReadTimeout))
	}
	if t.stage == sending && !c.send(t, now) {
		return
	}
	if t.stage == reading {
		c.receive(t, now)
	}
}

// connected is the error of a connection that has been made, or not.
func (c *Checker) connected(t *target, suspect bool) error {
	if suspect {
		number, err := unix.GetsockoptInt(t.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return os.NewSyscallError("getsockopt", err)
		}
		if number != 0 {
			return unix.Errno(number)
		}
	}
	if c.chosen.has(t.Address.Port) && t.isSelf() {
		return unix.ECONNREFUSED
	}
	return nil
}

// isSelf says whether the socket is connected to itself, as the kernel lets a connection to a port that nobody listens on be when it
// happens to choose that port for this end too.
func (t *target) isSelf() bool {
	to4, is4 := t.to.(*unix.SockaddrInet4)
	to6, is6 := t.to.(*unix.SockaddrInet6)
	if !is4 && !is6 {
		return false
	}
	from, err := unix.Getsockname(t.fd)
	if err != nil {
		return false
	}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return is4 && from.Port == to4.Port && from.Addr == to4.Addr
	case *unix.SockaddrInet6:
		return is6 && from.Port == to6.Port && from.Addr == to6.Addr
	}
	return false
}

// expired is called when the time of a stage is up.
func (c *Checker) expired(t *target, now int64) {
	switch {
	case t.stage == again && now < t.deadline:
		c.connect(t, now)
	case t.stage == again, t.stage == connecting:
		c.finish(t, late("connection", t.Check.ConnectionTimeout), now)
	default:
		c.finish(t, late("answer", t.Check.ReadTimeout), now)
	}
}
