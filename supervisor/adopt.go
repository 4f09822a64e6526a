package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/inherit"
	"pingap/supervisor/rundir"
	"pingap/supervisor/state"
)

// inherit takes the run directory and what an earlier supervisor left: handed over by it, kept by the service manager, or held by
// its orphaned workers.
func (s *supervisor) inherit() (*inherit.Set, error) {
	if p := s.o.Predecessor; p != nil {
		ctx, cancel := context.WithTimeout(context.Background(), s.o.Timings.Handover)
		defer cancel()
		in, err := inherit.Ask(ctx, p.Conn, s.o.Build)
		if err == nil {
			s.runDir = rundir.Inherit(s.o.RunDir, in.Lock, in.Control)
			s.openAdmin(in)
		}
		return in, err
	}
	in := inherit.Stored(s.o.Stored)
	var err error
	if s.runDir, err = rundir.Open(s.o.RunDir, in.Control); err != nil {
		return nil, err
	}
	s.openAdmin(in)
	st, err := state.Read(s.o.RunDir)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("nothing is taken over from the supervisor before", zap.Error(err))
		}
		return in, nil
	}
	in.Of(st)
	if len(in.Workers) == 0 && len(st.Workers) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), s.o.Timings.Rescue)
		defer cancel()
		in.Orphans(ctx, s.runDir.RescuePath, s.log)
	}
	return in, nil
}

// openAdmin takes over the socket of the admin interface, or makes it. Traffic does not need it: a failure ends no start and no upgrade.
func (s *supervisor) openAdmin(in *inherit.Set) {
	if err := s.runDir.OpenAdmin(in.Admin); err != nil {
		s.log.Error("the admin interface has no socket in the run directory", zap.Error(err))
	}
}

// adoption is the time between finding workers of the supervisor before and knowing all of them.
type adoption struct {
	how     string
	began   time.Time
	waiting map[*child]struct{}
	timer   *timer
	by      string // who asked for it
	roll    string // why they have to be replaced, "" for not
}

// adopt makes what was inherited ours: an upgrade, a restart and a crash are one and the same from here on. Workers of the same
// build on the same configuration are kept; others serve until fresh ones are active.
func (s *supervisor) adoptAll(in *inherit.Set) error {
	st := in.State
	s.epoch, s.applies, s.generation, s.last, s.serial = st.Epoch+1, st.Applies, st.Generation, st.Last, st.Serial
	s.control.runAs, s.liveBuild = st.Control, st.LiveBuild
	s.ledger.Load(st.Ledger, st.Record, st.Sums)
	s.workers = newSlots(st.Slots, st.Generation)
	s.adopting = &adoption{how: in.How, by: st.By, began: time.Now(), waiting: map[*child]struct{}{}}
	if err := s.adoptVersion(in); err != nil {
		return err
	}
	for _, w := range st.Workers {
		conn := in.Workers[w.Serial]
		delete(in.Workers, w.Serial)
		if conn == nil {
			continue
		}
		if err := s.adoptWorker(w, conn, in); err != nil {
			s.log.Warn("a worker cannot be taken over", zap.Int("pid", w.PID), zap.Error(err))
			conn.Close() // the worker sees that nobody leads it, and drains
		}
	}
	for serial, conn := range in.Workers {
		s.unstore(inherit.NameWorker(serial))
		conn.Close()
	}
	s.adopting.timer = s.after(s.o.Timings.Adopt, s.adoptLate)
	return nil
}

// adoptVersion takes the live version with its listeners and logs.
func (s *supervisor) adoptVersion(in *inherit.Set) error {
	v := in.State.Live
	if v == nil || in.Snapshot < 0 { // the sockets are for the configuration that is loaded next
		s.log.Warn("the configuration that was live is not there any more; it is loaded again")
		s.foreign = len(in.Workers) > 0
		return nil
	}
	env, err := s.lookUp(v.EnvNames)
	if err != nil {
		return err
	}
	s.foreign = s.liveBuild != s.o.Build
	if hashOf(env) != v.EnvHash {
		s.adopting.roll = "environment variables have changed"
	}
	s.live = &version{number: v.Number, sha: v.SHA, snapshot: in.Snapshot, env: env, names: v.EnvNames, settings: v.Settings, runAs: v.RunAs,
		listeners: v.Listeners, logs: v.Logs}
	for _, l := range v.Listeners {
		fd, ok := in.Listeners[l.ID]
		delete(in.Listeners, l.ID)
		if ok {
			s.listeners[l.ID] = &listener{Listener: l, fd: fd, foreign: slices.Contains(in.State.Foreign, l.ID)}
			continue
		}
		bound, err := s.bind(l)
		if err != nil {
			return err
		}
		s.listeners[l.ID] = bound
	}
	s.closeInherited(in)
	for _, t := range v.Logs {
		f, err := openLog(t, s.o.Now())
		if err != nil {
			s.log.Error("a log of the live configuration cannot be opened; fresh workers would lack it", zap.Error(err))
			continue
		}
		s.logs[t.ID] = f
	}
	return nil
}

// closeInherited closes listeners that the live version does not know, and logs: these are opened anew.
func (s *supervisor) closeInherited(in *inherit.Set) {
	for id, fd := range in.Listeners {
		unix.Close(fd)
		s.unstore(id)
	}
	for _, fd := range in.Logs {
		unix.Close(fd)
	}
	clear(in.Listeners)
	clear(in.Logs)
}

// adoptWorker enters a process that is not our child. Who it is shows when it answers.
func (s *supervisor) adoptWorker(w state.Worker, conn *ipc.Conn, in *inherit.Set) error {
	if w.Column < 0 || w.Column >= len(s.columns) || s.columns[w.Column] != nil || w.PID <= 1 {
		return fmt.Errorf("worker %d with column %d makes no sense", w.Serial, w.Column)
	}
	pidfd, err := unix.PidfdOpen(w.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	process, err := os.FindProcess(w.PID) // by pidfd as well: it never means another process later
	if err != nil {
		unix.Close(pidfd)
		return err
	}
	sl := &slot{role: ipc.RoleWorker, number: w.Slot, of: len(s.workers), generation: w.Generation, restarts: w.Restarts}
	c := &child{slot: sl, generation: w.Generation, serial: w.Serial, column: w.Column, build: w.Build, process: process,
		pidfd: os.NewFile(uintptr(pidfd), "pidfd"), conn: conn, rescue: -1, state: ipc.StateStarting, hasLogs: true, activated: true,
		resync: true, retired: true, foreign: w.Build != s.o.Build, started: time.Now(), lastSeen: time.Now()}
	if fd, ok := in.Rescues[w.Serial]; ok {
		c.rescue = fd
	} else {
		// The worker holds the socket that its predecessor made; the path is ours to remove.
		c.rescued = true
	}
	c.record = s.ledger.Open(w.Record)
	conn.SetEpoch(s.epoch)
	s.watchChild(c)
	s.adopting.waiting[c] = struct{}{}
	s.send(c, s.nextTxn(), ipc.Resync{Epoch: s.epoch})
	return nil
}

// resynced is the answer of a worker that was taken over. Its pid is the kernel's word, and the pidfd is older than the answer:
// they mean the same process.
func (s *supervisor) resynced(c *child, pid int, b *ipc.Status) error {
	if b.Process == nil {
		return nil // a heartbeat of before
	}
	if pid != c.pid() || b.Process.Slot != c.slot.number || b.Process.Generation != c.generation {
		return fmt.Errorf("is pid %d, slot %d, generation %d", pid, b.Process.Slot, b.Process.Generation)
	}
	c.resync, c.state = false, b.State
	c.started = time.Now().Add(-b.Uptime)
	c.build = clip(b.Process.Build)
	c.foreign = c.build != s.o.Build
	delete(s.adopting.waiting, c)
	s.place(c, b)
	if len(s.adopting.waiting) == 0 {
		s.adopted()
	}
	return nil
}

// place finds out what becomes of a worker that was taken over.
func (s *supervisor) place(c *child, b *ipc.Status) {
	number := c.slot.number
	switch {
	case b.State == ipc.StateDraining:
		order := s.drainOf("as before")
		r := c.record
		s.draining(c, order, nil)
		c.record = r
	case b.State != ipc.StateActive:
		s.kill(c, "was being started when the supervisor before ended")
	case c.generation != s.generation || number >= len(s.workers) || s.workers[number].current != nil:
		// Of a roll that was not finished, or whose drain was not begun.
		s.drain(c, s.drainOf("its generation is not live"), nil)
	default:
		sl := s.workers[number]
		sl.restarts = c.slot.restarts
		c.slot, sl.current, c.retired = sl, c, false
		c.readyAt, c.version = c.started, s.live
		s.send(c, s.nextTxn(), ipc.Abort{})
		if s.live != nil && b.SHA != s.live.sha && !c.foreign {
			s.adopting.roll = "a worker runs another configuration"
		}
	}
}

func (s *supervisor) adoptLate() {
	for c := range s.adopting.waiting {
		delete(s.adopting.waiting, c)
		s.kill(c, "did not answer the supervisor that took it over")
	}
	s.adopted()
}

// adopted goes on when all workers are known: control, successors for those that are missing, and a roll where one is needed.
func (s *supervisor) adopted() {
	a := s.adopting
	if a == nil {
		return
	}
	a.timer.cancel()
	s.adopting = nil
	if s.live != nil {
		s.keepLogs(s.live)
	}
	kept := 0
	for _, sl := range s.workers {
		if sl.current != nil {
			kept++
		}
	}
	r := s.enter(a.how, a.by)
	r.Workers, r.Took, r.Reason = kept, time.Since(a.began), a.roll
	s.ledger.Done(r)
	s.log.Info("took over", zap.String("after", a.how), zap.Uint32("epoch", s.epoch), zap.Int("workers", kept), zap.Bool("other_build", s.foreign))
	s.persist()
	s.logsAdopted()
	s.vaultAdopted()
	for _, sl := range s.workers {
		if sl.current == nil && s.live != nil {
			s.lost(sl, "missing after "+a.how)
		}
	}
	if a.roll != "" && !s.foreign {
		s.roll(nil, a.roll)
	}
	if a.how != ipc.RecordCrash || s.foreign {
		s.load = a.how
	}
	s.succeed()
	s.spawn(s.control)
	s.settle()
}

// waitPidfd returns when the process has ended, or the file has been closed.
func waitPidfd(f *os.File) string {
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool {
			fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds[:], 0)
			return err == nil && n > 0
		})
	}
	if err != nil {
		return err.Error()
	}
	return "exit status not known: it was not our child"
}
