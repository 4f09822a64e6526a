package supervisor

import (
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/inherit"
	"pingap/supervisor/systemd"
)

// manager is the service manager; nil without one, and while the supervisor before this one is the main process of the unit: it would not
// listen to us.
func (s *supervisor) manager() *systemd.Notifier {
	if s.bequeath && s.left == "" {
		return nil
	}
	return s.o.Manager
}

// told logs what could not be told to the service manager. It is lost then, and the instance serves all the same.
func (s *supervisor) told(err error) {
	if err != nil {
		s.log.Warn("service manager", zap.Error(err))
	}
}

func (s *supervisor) store(name string, fd int) { s.told(s.manager().Store(name, fd)) }

func (s *supervisor) unstore(name string) { s.told(s.manager().Remove(name)) }

// storeChild keeps the supervisor's end of a worker's socket open when the supervisor dies: the worker does not notice. When the
// unit ends, the manager closes it, and the worker drains.
func (s *supervisor) storeChild(c *child) {
	if c.role() != ipc.RoleWorker || s.manager() == nil {
		return
	}
	fd, err := c.conn.FD()
	if err != nil {
		s.told(err)
		return
	}
	s.store(inherit.NameWorker(c.serial), fd)
}

// storeAll stores what was taken over; what the manager has already it keeps once.
func (s *supervisor) storeAll() {
	s.store(inherit.NameControl, s.runDir.Control)
	if s.runDir.Admin >= 0 {
		s.store(inherit.NameAdmin, s.runDir.Admin)
	}
	s.storeArena()
	if s.vault.serial == 0 {
		s.storeVault()
	} else {
		s.vaultChanged() // later: the manager has one, and is told enough now
	}
	for id, l := range s.listeners {
		s.store(id, l.fd)
	}
	for c := range s.children {
		s.storeChild(c)
	}
	if s.live != nil {
		s.storeSnapshot(nil, s.live)
	}
}

func (s *supervisor) unstoreChild(c *child) {
	if c.role() == ipc.RoleWorker {
		s.unstore(inherit.NameWorker(c.serial))
	}
}

// storeSnapshot replaces the stored snapshot, the new one first.
func (s *supervisor) storeSnapshot(old, v *version) {
	if old != nil && old.sha == v.sha {
		return
	}
	s.store(inherit.NameSnapshot(v.sha), v.snapshot)
	if old != nil {
		s.unstore(inherit.NameSnapshot(old.sha))
	}
}

// notifyReady tells the manager that the instance serves. It is a sign of life as well: the last one of a predecessor may be some
// time ago.
func (s *supervisor) notifyReady() {
	s.told(s.manager().Send("READY=1", "WATCHDOG=1", "STATUS="+s.statusLine()))
}

// notifyStatus is the line of `systemctl status`.
func (s *supervisor) notifyStatus() {
	if s.live != nil {
		s.told(s.manager().Send("STATUS=" + s.statusLine()))
	}
}

func (s *supervisor) statusLine() string {
	if s.live == nil {
		return "starting"
	}
	active, draining := 0, 0
	for c := range s.children {
		switch {
		case c.role() != ipc.RoleWorker:
		case c.state == ipc.StateActive:
			active++
		case c.state == ipc.StateDraining:
			draining++
		}
	}
	line := fmt.Sprintf("%s: version %d (%s), generation %d: %d of %d workers active", s.state(), s.live.number, s.live.sha[:min(12, len(s.live.sha))],
		s.generation, active, len(s.workers))
	if draining > 0 {
		line += fmt.Sprintf(", %d draining", draining)
	}
	if len(s.degraded()) > 0 {
		line += "; degraded, see pingap status"
	}
	return line
}

// reloading brackets an operation, for units of Type=notify-reload; others ignore it.
func (s *supervisor) reloading() {
	if s.live == nil || s.manager() == nil || s.busy {
		return
	}
	s.busy = true
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	s.told(s.manager().Send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/int64(time.Microsecond))))
}

func (s *supervisor) reloaded() {
	if s.busy && s.op == nil {
		s.busy = false
		s.notifyReady()
	}
}

// sign is the sign of life to the manager's watchdog, as long as somebody serves, and asks for more time while stopping.
func (s *supervisor) sign() {
	if s.manager() == nil {
		return
	}
	if s.stop != nil {
		s.told(s.manager().Send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (10*time.Second).Microseconds()), "WATCHDOG=1", "STATUS="+s.statusLine()))
		return
	}
	serving := s.live == nil
	for c := range s.children {
		serving = serving || c.state == ipc.StateActive || c.resync
	}
	if s.o.Watchdog > 0 && serving {
		s.told(s.manager().Send("WATCHDOG=1"))
	}
	if line := s.statusLine(); line != s.line {
		s.line = line
		s.notifyStatus()
	}
}
