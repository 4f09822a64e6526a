package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// maxText bounds what a child can put into our log or into an answer, in bytes.
const maxText = 1024

// child is one process from fork to reaping.
type child struct {
	slot       *slot
	generation int
	serial     int // of workers: unique in an instance, names its sockets
	column     int // of the arena, -1 for control
	build      string
	process    *os.Process
	pidfd      *os.File // of an adopted process, which is not ours to wait for
	conn       *ipc.Conn
	reading    context.CancelFunc // ends readChild
	rescue     int                // its rescue socket, -1 without one
	rescued    bool               // the path of its rescue socket is there, made by a predecessor

	state     string   // ipc.State...
	version   *version // it was started with, later the one it runs
	activated bool     // it has been told to accept
	hasLogs   bool     // it has been given log files
	dying     string   // why it is being killed, "" while it is not
	hurried   bool     // it has been told to drain faster
	retired   bool     // its end is wanted and needs no successor
	resync    bool     // adopted, and has not answered yet
	foreign   bool     // of another build: it serves, but takes part in no apply
	gone      *ipc.Gone
	record    *ledger.Entry // of the ledger, that counts its end; nil for none
	eof       bool          // its socket has ended
	exit      string        // how its process has ended, while its socket has not
	started   time.Time
	readyAt   time.Time
	lastSeen  time.Time // last heartbeat, of control last message
	status    *ipc.Status
	timer     *timer // bound of the present state
	killer    *timer // SIGKILL after a milder end
}

func (c *child) role() string { return c.slot.role }

func (c *child) pid() int {
	if c.process == nil {
		return 0
	}
	return c.process.Pid
}

func (c *child) name() string { return fmt.Sprintf("%s (pid %d)", c.slot.name(), c.pid()) }

func (c *child) fields() zap.Field {
	return zap.String("process", c.name())
}

// active children take part in an apply.
func (c *child) active() bool { return c.state == ipc.StateActive && c.dying == "" }

func (s *supervisor) activeWorkers() []*child {
	var all []*child
	for _, sl := range s.workers {
		if sl.current != nil && sl.current.active() && !sl.current.foreign {
			all = append(all, sl.current)
		}
	}
	return all
}

// send never waits: a child that does not read is killed. It reports whether the message has gone. While a successor takes
// over, nothing goes.
func (s *supervisor) send(c *child, txn uint32, body ipc.Body, fds ...int) bool {
	if c.role() == ipc.RoleWorker && s.upgrade.handedOver() {
		return false
	}
	if err := c.conn.TrySend(txn, body, fds...); err != nil {
		s.kill(c, "cannot be told: "+err.Error())
		return false
	}
	return true
}

// message acts on what a child says. An error is a breach of the protocol, which costs the child its life.
func (s *supervisor) message(c *child, m *ipc.Message) {
	if _, alive := s.children[c]; !alive || c.dying != "" {
		return
	}
	var err error
	if c.role() == ipc.RoleControl {
		err = s.controlMessage(c, m)
	} else {
		err = s.workerMessage(c, m)
	}
	if err != nil {
		s.kill(c, "broke the protocol: "+err.Error())
	}
}

func (s *supervisor) workerMessage(c *child, m *ipc.Message) error {
	if b, status := m.Body.(*ipc.Status); c.resync {
		if status {
			return s.resynced(c, m.PID, b)
		}
		return nil // meant for the supervisor before; the answer to Resync tells how it ended
	}
	switch b := m.Body.(type) {
	case *ipc.Hello:
		return s.workerHello(c, b)
	case *ipc.Ready:
		return s.workerReady(c, b)
	case *ipc.Active:
		return s.workerActive(c)
	case *ipc.Status:
		c.lastSeen, c.status = time.Now(), tidyStatus(b)
		if b.State == ipc.StateDraining && c.state == ipc.StateActive {
			s.leaving(c)
		}
	case *ipc.Prepared:
		s.prepared(c, m.Txn, b.SHA)
	case *ipc.Nack:
		s.nacked(c, m.Txn, b)
	case *ipc.Committed:
		s.committed(c, m.Txn, b.SHA)
	case *ipc.LogsTaken:
		s.logsTaken(c, m.Txn, b.Errors...)
	case *ipc.Gone:
		s.log.Info("drained", c.fields(), zap.Uint64("requests", b.Requests), zap.Int64("cut", b.Cut))
		c.gone = b
	case *ipc.StateTaken:
		s.stateTaken(c, m.Txn, strings.Join(b.Missing, "; "))
	case *ipc.Announce:
		s.announce(request{c, m.Txn}, b)
	case *ipc.Announced:
		s.announced(c, m.Txn, strings.Join(b.Missing, "; "))
	case *ipc.Explained:
		s.workerExplained(c, m.Txn, b)
	case *ipc.Aborted, *ipc.Draining, *ipc.Metrics:
	case *ipc.Unknown:
		s.unknown(c, m.Txn, b.Of)
	default:
		return fmt.Errorf("%s from a worker", m.Body.Type())
	}
	return nil
}

// checkHello verifies what both roles say of themselves.
func checkHello(c *child, b *ipc.Hello) error {
	switch {
	case c.state != ipc.StateSpawned:
		return fmt.Errorf("a second Hello")
	case b.Role != c.role() || b.Slot != c.slot.number || b.PID != c.pid():
		return fmt.Errorf("sends Hello of %s %d, pid %d", clip(b.Role), b.Slot, b.PID)
	case b.ProtoMin > ipc.Version || b.ProtoMax < ipc.ProtoMin:
		return fmt.Errorf("speaks protocol %d to %d, this build %d to %d", b.ProtoMin, b.ProtoMax, ipc.ProtoMin, ipc.Version)
	}
	return nil
}

func (s *supervisor) workerHello(c *child, b *ipc.Hello) error {
	if err := checkHello(c, b); err != nil {
		return err
	}
	if s.stop != nil {
		s.kill(c, "stopped before it was active")
		return nil
	}
	v := c.version
	c.state, c.hasLogs = ipc.StateStarting, true
	start := ipc.Start{
		Slot: c.slot.number, Slots: c.slot.of, Generation: c.generation, Owner: os.Geteuid(),
		Version: v.number, SHA: v.sha, Column: c.column, Threads: threads(v, c.slot.of), Build: s.o.Build, Env: v.env,
	}
	var fds ipc.FDs
	if c.rescue >= 0 {
		start.Rescue = fds.Add(c.rescue)
	}
	start.Snapshot = fds.Add(v.snapshot)
	start.Arena, start.Parts = s.giveArena(&fds)
	for _, l := range v.listeners {
		l.FD = fds.Add(s.listeners[l.ID].fd)
		start.Listeners = append(start.Listeners, l)
	}
	start.Logs = logTargets(s.logsOf(v), &fds)
	s.send(c, 0, start, fds...)
	return nil
}

func (s *supervisor) workerReady(c *child, b *ipc.Ready) error {
	if c.state != ipc.StateStarting {
		return fmt.Errorf("sends Ready while %s", c.state)
	}
	if b.SHA != c.version.sha {
		return fmt.Errorf("ready with another configuration than it was given")
	}
	c.state, c.readyAt = ipc.StateReady, time.Now()
	c.timer.cancel()
	s.workerIsReady(c)
	return nil
}

// activate lets a ready worker accept.
func (s *supervisor) activate(c *child) {
	c.timer = s.after(s.o.Timings.Active, func() {
		s.kill(c, fmt.Sprintf("not active within %v", s.o.Timings.Active))
	})
	s.tellAll(c)
	c.activated = s.send(c, 0, ipc.Activate{})
}

func (s *supervisor) workerActive(c *child) error {
	if c.state != ipc.StateReady || !c.activated {
		return fmt.Errorf("sends Active while %s", c.state)
	}
	c.timer.cancel()
	c.state, c.lastSeen = ipc.StateActive, time.Now()
	s.changed()
	s.accepting()
	s.log.Info("active", c.fields(), zap.Int("generation", c.generation), zap.Uint64("version", c.version.number))
	s.workerIsActive(c)
	return nil
}

// closed is the end of a child's socket. One that has not exited as well cannot be led any more.
func (s *supervisor) closed(c *child, err error) {
	s.notHeard(c)
	if _, alive := s.children[c]; alive && c.exit != "" {
		s.reaped(c, c.exit)
		return
	}
	if _, alive := s.children[c]; !alive || c.dying != "" || c.killer != nil {
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		c.killer = s.after(s.o.Timings.StopFast, func() { s.kill(c, "closed its socket and did not exit") })
		return
	}
	s.kill(c, "sent what cannot be read: "+err.Error())
}

// kill ends a child at once; what follows happens when it has been reaped.
func (s *supervisor) kill(c *child, why string) {
	if _, alive := s.children[c]; !alive {
		return
	}
	if c.dying == "" {
		c.dying = clip(why)
		s.log.Warn("killing", c.fields(), zap.String("reason", c.dying))
	}
	c.signal(unix.SIGKILL)
}

// abort ends a hung child with a dump of its stacks.
func (s *supervisor) abort(c *child, why string) {
	if c.dying != "" {
		return
	}
	c.dying = why
	s.log.Warn("aborting", c.fields(), zap.String("reason", why))
	c.signal(unix.SIGABRT)
	c.killer = s.after(s.o.Timings.Abort, func() { s.kill(c, why) })
}

// signal goes by pidfd (package os), so it never reaches a stranger with a recycled pid. The one error is that the
// process has ended, which is what its exit event is for.
func (c *child) signal(sig unix.Signal) { _ = c.process.Signal(sig) }

// exited is the end of a process. What it said last may still be in its socket: that is heard first.
func (s *supervisor) exited(c *child, how string) {
	if c.eof || c.dying != "" || c.role() == ipc.RoleControl {
		s.reaped(c, how)
		return
	}
	c.exit = how
	s.after(s.o.Timings.LastWords, func() {
		if _, alive := s.children[c]; alive {
			s.reaped(c, how)
		}
	})
}

// reaped releases everything that a child had.
func (s *supervisor) reaped(c *child, how string) {
	delete(s.children, c)
	c.timer.cancel()
	c.killer.cancel()
	s.forgetChild(c)
	if c.column >= 0 {
		s.arena.ZeroColumn(c.column)
		s.columns[c.column] = nil
	}
	if c.dying != "" {
		how = c.dying
	}
	c.state = ipc.StateDead
	s.log.Info("ended", c.fields(), zap.String("how", how))
	for txn := range s.reopens {
		s.logsTaken(c, txn)
	}
	s.stateLost(c)
	s.announcementLost(c)
	s.explainLost(c)
	s.ledger.Drained(c.record, c.gone, inFlight(c))
	if a := s.adopting; a != nil {
		if delete(a.waiting, c); len(a.waiting) == 0 {
			s.adopted()
		}
	}
	if c.slot.current == c {
		c.slot.current = nil
		c.slot.lastExit = how
		if !c.readyAt.IsZero() && time.Since(c.readyAt) >= s.o.Timings.BackoffReset {
			c.slot.failures = 0
		}
	}
	switch {
	case s.upgrade.handedOver() && c.role() == ipc.RoleControl && s.upgrade.over:
		s.leave("upgrade")
	case s.stop != nil:
		s.stopProgress()
	case !c.retired:
		s.lostChild(c, how)
	}
	s.next() // a roll may have waited for the place
}

// clip makes a child's text fit to be logged and passed on: bounded, one line, no control characters.
func clip(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// tidyStatus bounds what is kept of a heartbeat.
func tidyStatus(b *ipc.Status) *ipc.Status {
	b.State, b.SHA, b.Message = clip(b.State), clip(b.SHA), clip(b.Message)
	const kinds = 16
	for k := range b.Connections {
		if len(b.Connections) > kinds || len(k) > maxText {
			delete(b.Connections, k)
		}
	}
	return b
}
