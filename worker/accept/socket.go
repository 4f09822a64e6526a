package accept

import (
	"net"

	"golang.org/x/sys/unix"

	"pingap/config"
)

// Options are what a server sets on the connections it accepts.
type Options struct {
	keepAlive net.KeepAliveConfig
	// userTimeout is TCP_USER_TIMEOUT in milliseconds, 0 for the kernel's.
	userTimeout int
}

// Sockets holds the options by index of the server.
type Sockets []Options

// OptionsOf reads them from a server: probes are on only when all three values are set, or the user time-out is.
func OptionsOf(s *config.Server) Options {
	var o Options
	if s.TCPIdle > 0 && s.TCPInterval > 0 && s.TCPProbeCount > 0 {
		o.keepAlive = net.KeepAliveConfig{Enable: true, Idle: s.TCPIdle.Std(), Interval: s.TCPInterval.Std(), Count: s.TCPProbeCount}
	}
	o.userTimeout = int(s.TCPUserTimeout.Std().Milliseconds())
	return o
}

// Set applies the options. Package net has turned probes on, which nobody asked for. A connection on which an option
// cannot be set is already gone, or does without.
func (s Sockets) Set(c net.Conn, index int) {
	tcp, ok := c.(*net.TCPConn)
	if !ok || index >= len(s) {
		return
	}
	o := &s[index]
	switch {
	case o.keepAlive.Enable:
		_ = tcp.SetKeepAliveConfig(o.keepAlive)
	case o.userTimeout == 0:
		_ = tcp.SetKeepAlive(false)
	}
	if o.userTimeout == 0 {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, o.userTimeout)
		})
	}
}
