package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// maxText bounds what a child can put into our log or into an answer, in bytes.
const maxText = 1024

// child is one process from fork to reaping.
type child struct {
	slot       *slot
	generation int
	column     int // of the arena, -1 for control
	process    *os.Process
	conn       *ipc.Conn

	state     string   // ipc.State...
	version   *version // it was started with, later the one it runs
	activated bool     // it has been told to accept
	hasLogs   bool     // it has been given log files
	dying     string   // why it is being killed, "" while it is not
	retired   bool     // its end is wanted and needs no successor
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
		if sl.current != nil && sl.current.active() {
			all = append(all, sl.current)
		}
	}
	return all
}

// send never waits: a child that does not read is killed. It reports whether the message has gone.
func (s *supervisor) send(c *child, txn uint32, body ipc.Body, fds ...int) bool {
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
	case *ipc.Aborted, *ipc.Draining, *ipc.Metrics:
	case *ipc.Unknown:
		s.log.Warn("does not know a message", c.fields(), zap.Stringer("type", b.Of))
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
	v := s.candidate()
	if v == nil {
		return errors.New("nothing to start it on")
	}
	c.version, c.state, c.hasLogs = v, ipc.StateStarting, true
	start := ipc.Start{
		Slot: c.slot.number, Slots: len(s.workers), Generation: c.generation,
		Version: v.number, SHA: v.sha, Column: c.column, Threads: s.threads(v), Build: s.o.Build, Env: v.env,
	}
	var fds ipc.FDs
	start.Snapshot = fds.Add(v.snapshot)
	start.Arena = fds.Add(s.arena.FD())
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
	c.activated = s.send(c, 0, ipc.Activate{})
}

func (s *supervisor) workerActive(c *child) error {
	if c.state != ipc.StateReady || !c.activated {
		return fmt.Errorf("sends Active while %s", c.state)
	}
	c.timer.cancel()
	c.state, c.lastSeen = ipc.StateActive, time.Now()
	s.log.Info("active", c.fields(), zap.Int("generation", c.generation), zap.Uint64("version", c.version.number))
	s.workerIsActive(c)
	return nil
}

// closed is the end of a child's socket. One that has not exited as well cannot be led any more.
func (s *supervisor) closed(c *child, err error) {
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

// reaped releases everything that a child had.
func (s *supervisor) reaped(c *child, how string) {
	delete(s.children, c)
	c.timer.cancel()
	c.killer.cancel()
	c.conn.Close()
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
	if c.slot.current == c {
		c.slot.current = nil
		c.slot.lastExit = how
		if !c.readyAt.IsZero() && time.Since(c.readyAt) >= s.o.Timings.BackoffReset {
			c.slot.failures = 0
		}
	}
	switch {
	case s.stop != nil:
		s.stopProgress()
	case !c.retired:
		s.lostChild(c, how)
	}
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
