package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// spawner starts all children from one thread without ambient capabilities and with no_new_privs: both are
// inherited from the thread that forks, and all other threads keep what the supervisor needs.
type spawner struct {
	start chan func()
}

func newSpawner(wg *sync.WaitGroup) *spawner {
	sp := &spawner{start: make(chan func())}
	// Ends when close is called. The thread is never unlocked, so it ends with the goroutine.
	wg.Go(func() {
		runtime.LockOSThread()
		// Either can only fail on kernels older than 4.3, which lack ambient capabilities altogether.
		_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		for do := range sp.start {
			do()
		}
	})
	return sp
}

func (sp *spawner) close() { close(sp.start) }

// process starts one and returns when it has been forked and executed.
func (sp *spawner) process(path string, argv []string, attr *os.ProcAttr) (p *os.Process, err error) {
	done := make(chan struct{})
	sp.start <- func() {
		defer close(done)
		p, err = os.StartProcess(path, argv, attr)
	}
	<-done
	return p, err
}

// spawn starts a new process in a slot, unless an apply is running that must not see the set of workers change.
func (s *supervisor) spawn(sl *slot) {
	sl.respawn.cancel()
	if s.stop != nil || sl.current != nil {
		return
	}
	if sl.role == ipc.RoleWorker && (s.op != nil && s.op.hot() || s.upgrade != nil) {
		sl.wanted = true
		return
	}
	sl.wanted = false
	c, err := s.startChild(sl)
	if err != nil {
		sl.lastExit = err.Error()
		s.vacant(sl, err.Error())
		return
	}
	sl.current = c
	c.timer = s.after(s.o.Timings.Ready, func() {
		s.kill(c, fmt.Sprintf("not ready within %v", s.o.Timings.Ready))
	})
}

// startChild forks and executes, and starts the two goroutines that read the child's socket and wait for its exit.
func (s *supervisor) startChild(sl *slot) (*child, error) {
	c := &child{slot: sl, column: -1, rescue: -1, state: ipc.StateSpawned, generation: sl.generation, build: s.o.Build, started: time.Now()}
	attr := &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is the supervisor's to handle
	env, runAs := s.controlEnv(), sl.runAs
	if sl.role == ipc.RoleWorker {
		var err error
		if c.version = s.candidate(sl); c.version == nil {
			return nil, errors.New("nothing to start it on")
		}
		if runAs, err = s.credential(c.version); err != nil {
			return nil, err
		}
		if c.column = slices.Index(s.columns, nil); c.column < 0 {
			return nil, fmt.Errorf("no free column in the arena for %s", c.name())
		}
		env = append([]string{}, s.o.WorkerEnv...) // never nil, which would mean all of ours
	}
	attr.Credential = attribute(runAs)
	ours, theirs, err := ipc.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	c.conn = ours
	if sl.role == ipc.RoleWorker {
		ours.RefuseFDs() // and with them large bodies: a worker has no use for either
		s.serial++
		c.serial = s.serial
		if c.rescue, err = s.runDir.ListenRescue(c.serial); err != nil {
			c.rescue = -1 // it serves without
			s.log.Warn("rescue socket", zap.Error(err))
		}
	}
	ours.SetEpoch(s.epoch)
	if c.process, err = s.exec(c, env, attr, theirs); err != nil {
		s.forgetChild(c)
		return nil, fmt.Errorf("start %s: %w", c.name(), err)
	}
	s.watchChild(c)
	return c, nil
}

// watchChild enters a child, which is to be heard and waited for from now on.
func (s *supervisor) watchChild(c *child) {
	s.children[c] = struct{}{}
	if c.column >= 0 {
		s.columns[c.column] = c
	}
	s.storeChild(c)
	s.changed()
	s.hear(c)
	// Ends with the child. Run does not end before all children have, unless it leaves them to a successor.
	s.waits.Go(func() { s.waitChild(c) })
}

// hear starts to read a child's messages.
func (s *supervisor) hear(c *child) {
	ctx, cancel := context.WithCancel(context.Background())
	c.reading = cancel
	// Ends when cancelled, or when the connection ends or is closed, which it is when the child has been reaped.
	s.wg.Go(func() { s.readChild(ctx, c) })
}

// forgetChild gives back what belongs to a child besides the process.
func (s *supervisor) forgetChild(c *child) {
	if c.reading != nil {
		c.reading()
	}
	c.conn.Close()
	if c.pidfd != nil {
		c.pidfd.Close()
	}
	if c.rescue >= 0 {
		unix.Close(c.rescue)
	}
	if c.rescue >= 0 || c.rescued {
		s.runDir.RemoveRescue(c.serial)
	}
	s.unstoreChild(c)
	s.changed()
}

func (s *supervisor) exec(c *child, env []string, attr *syscall.SysProcAttr, conn *ipc.Conn) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	argv := []string{"pingap: " + c.role(), c.role()}
	if c.role() == ipc.RoleWorker {
		argv[0] = fmt.Sprintf("pingap: worker %d gen %d", c.slot.number, c.generation)
	} else {
		argv = append(argv, s.o.ControlArgs...)
	}
	return s.spawner.process(s.o.Executable, argv, &os.ProcAttr{
		Env:   env,
		Files: []*os.File{null, os.Stdout, os.Stderr, conn.File()},
		Sys:   attr,
	})
}

// readChild runs on its own goroutine.
func (s *supervisor) readChild(ctx context.Context, c *child) {
	for {
		m, err := c.conn.Receive(ctx)
		if err != nil && ctx.Err() != nil {
			s.post(unheard{c})
			return
		}
		if err != nil {
			s.post(closed{c, err})
			return
		}
		if !s.post(received{c, m}) {
			m.Close()
			return
		}
	}
}

// waitChild runs on its own goroutine.
func (s *supervisor) waitChild(c *child) {
	if c.pidfd != nil {
		s.post(exited{c, waitPidfd(c.pidfd)})
		return
	}
	state, err := c.process.Wait()
	how := "unknown"
	switch {
	case err != nil:
		how = err.Error()
	case state != nil:
		how = state.String()
	}
	s.post(exited{c, how})
}
