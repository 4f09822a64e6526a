package supervisor

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// roll asks for fresh workers on what is live. Requests that come before one has begun are one.
func (s *supervisor) roll(from *request, by string) {
	for _, p := range s.queue {
		if p.again {
			if from != nil {
				p.others = append(p.others, *from)
			}
			return
		}
	}
	p := &proposal{Propose: &ipc.Propose{RequestedBy: by, Class: ipc.ClassRoll}, snapshot: -1, again: true}
	if from != nil {
		p.request = *from
	}
	s.propose(p)
}

// complete makes a proposal for a roll one of what is live by now.
func (s *supervisor) complete(p *proposal) bool {
	if s.live == nil || s.foreign {
		return false
	}
	fd, err := unix.FcntlInt(uintptr(s.live.snapshot), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		s.log.Error("live snapshot", zap.Error(err))
		return false
	}
	v := s.live
	p.snapshot, p.Base, p.SHA = fd, v.sha, v.sha
	p.Listeners, p.Logs, p.Settings, p.Env, p.env = v.listeners, v.logs, v.settings, v.names, v.env
	return true
}

// startGeneration starts all workers of the version under way, beside those there are. It is live once all of them are active;
// until then what was live, if anything, stays so.
func (s *supervisor) startGeneration() {
	op := s.op
	op.phase = starting
	s.last++
	op.slots = newSlots(s.workerCount(op.next.settings), s.last)
	for _, sl := range op.slots {
		s.spawn(sl)
		if s.op != op {
			return // a start has failed, and with it the roll
		}
		op.waiting[sl.current] = struct{}{}
	}
}

// retire ends a worker that does not accept, so that no connection is lost.
func (s *supervisor) retire(c *child, why string) {
	c.retired = true
	c.slot.current = nil
	c.timer.cancel()
	s.kill(c, why)
}

// workerIsReady decides what follows on READY: a generation waits for each other, a single one that came back goes on by
// itself, unless what it was started on is not live any more.
func (s *supervisor) workerIsReady(c *child) {
	switch {
	case s.op.has(c.slot):
		delete(s.op.waiting, c)
		if len(s.op.waiting) == 0 {
			s.activateAll()
		}
	case s.op != nil && s.op.hot() || s.upgrade != nil: // settle will come back to it
	case c.version != s.live:
		sl := c.slot
		s.retire(c, "what it was started on is not live any more")
		s.spawn(sl)
	default:
		s.activate(c)
	}
}

func (s *supervisor) activateAll() {
	op := s.op
	op.phase = activating
	for _, sl := range op.slots {
		op.waiting[sl.current] = struct{}{}
	}
	for _, sl := range op.slots {
		s.activate(sl.current)
	}
}

func (s *supervisor) workerIsActive(c *child) {
	op := s.op
	if !op.has(c.slot) || op.phase != activating {
		return
	}
	delete(op.waiting, c)
	if len(op.waiting) > 0 {
		return
	}
	boot, old := s.live == nil, s.workers
	s.adopt(op.next)
	s.workers, s.generation, s.foreign = op.slots, s.last, false
	s.persist() // a successor drains the old as well
	s.quietUnwanted()
	s.replace(old, op.record)
	if boot {
		s.ready()
	}
	s.applied()
}

// replace drains the workers of a generation whose successors are active.
func (s *supervisor) replace(old []*slot, record *ledger.Entry) {
	for _, sl := range old {
		sl.respawn.cancel()
		sl.wanted = false
		switch c := sl.current; {
		case c == nil:
		case c.activated && c.dying == "":
			sl.current = nil
			s.drain(c, s.drainOf("replaced"), record)
		default:
			s.retire(c, "replaced before it was active")
		}
	}
	s.boundDraining()
}

// ready is called when the first version is live, and when that of a predecessor has been taken over.
func (s *supervisor) ready() {
	if s.readied {
		return
	}
	s.readied = true
	s.closeInherited(s.in)
	if path := s.live.settings.PIDFile; path != "" {
		if err := s.runDir.WritePID(path); err != nil {
			s.log.Warn("pid file not written", zap.Error(err))
		}
	}
	s.o.OnReady()
	s.notifyReady()
}

// failGeneration gives a roll up: the fresh workers are killed, the old never notice.
func (s *supervisor) failGeneration(worker, why string) {
	op := s.op
	s.op = nil
	s.dropGeneration(op)
	s.refuse(op.proposal, ipc.Refused{Code: ipc.CodeWorkerDied, Worker: worker, Reason: worker + " could not start: " + why})
	if s.stop == nil {
		s.settle()
	}
}

// dropGeneration undoes what a roll has begun. Workers that accept already finish what they have.
func (s *supervisor) dropGeneration(op *apply) {
	for _, sl := range op.slots {
		sl.respawn.cancel()
		switch c := sl.current; {
		case c == nil:
		case c.activated && c.dying == "":
			sl.current = nil
			s.drain(c, s.drainOf("its generation failed"), op.record)
		default:
			s.retire(c, "its generation failed")
		}
	}
	if !op.Fallback { // what follows wants the same sockets, most likely, and workers that are being killed still have them
		s.unstage(op)
	}
	op.next.close()
}

// vacant decides what follows when a slot has lost its process, or could not get one.
func (s *supervisor) vacant(sl *slot, how string) {
	switch {
	case sl.role == ipc.RoleControl && s.live == nil:
		s.fail(fmt.Errorf("control ended before there was a configuration: %s", how))
	case s.op.has(sl):
		s.failGeneration(sl.name(), how)
	default:
		s.lost(sl, how)
	}
}

// lostChild is the unexpected end of a child, which may be one that an apply waits for.
func (s *supervisor) lostChild(c *child, how string) {
	if c.role() == ipc.RoleWorker && !s.op.has(c.slot) {
		s.died(c, how)
	}
	s.vacant(c.slot, how)
	s.leftApply(c, how)
}

// leftApply takes a worker out of a hot apply, which can only go on if it had been prepared everywhere.
func (s *supervisor) leftApply(c *child, how string) {
	op := s.op
	if op == nil || !slices.Contains(op.members, c) {
		return
	}
	if op.phase == preparing {
		s.abortApply(ipc.Refused{Code: ipc.CodeWorkerDied, Worker: c.name(), Reason: c.name() + " ended while preparing: " + how})
		return
	}
	s.answered(c)
}

// leaving is a worker that drains without having been told to, such as by a SIGTERM to it alone. It finishes outside of its
// slot, which gets a successor.
func (s *supervisor) leaving(c *child) {
	if s.op.has(c.slot) {
		s.kill(c, "drains while it is being started")
		return
	}
	s.log.Warn("drains by itself", c.fields())
	c.slot.current, c.slot.lastExit = nil, "drained by itself"
	r := s.enter(ipc.RecordWorker, "a signal to "+c.name())
	s.draining(c, s.drainOf("by itself"), r)
	s.ledger.Done(r)
	s.lost(c.slot, c.slot.lastExit)
	s.leftApply(c, "it drains")
}
