package supervisor

import (
	"fmt"
	"slices"

	"go.uber.org/zap"

	"pingap/ipc"
)

// startFresh starts all workers on the new version. It is live once all of them are active; until then what was live,
// if anything, stays so.
func (s *supervisor) startFresh() {
	op := s.op
	op.phase = starting
	s.generation++
	s.retireAll()
	s.resize(s.workerCount(op.next))
	for _, sl := range s.workers {
		s.spawn(sl)
		if s.op != op {
			return // a start has failed, and with it the apply
		}
		op.waiting[sl.current] = struct{}{}
	}
}

// retireAll ends the workers of all slots. None of them accepts, so no connection is lost.
func (s *supervisor) retireAll() {
	for _, sl := range s.workers {
		sl.respawn.cancel()
		sl.wanted = false
		if sl.current != nil {
			s.retire(sl.current)
		}
	}
}

// retire ends a worker that is not active, to make room in its slot at once.
func (s *supervisor) retire(c *child) {
	c.retired = true
	c.slot.current = nil
	c.timer.cancel()
	s.kill(c, "replaced before it was active")
}

// workerIsReady decides what follows on READY: all wait for each other when a version starts, a single one that came back
// goes on by itself, unless what it was started on is not live any more.
func (s *supervisor) workerIsReady(c *child) {
	switch {
	case s.op != nil && s.op.phase == starting:
		delete(s.op.waiting, c)
		if len(s.op.waiting) == 0 {
			s.activateAll()
		}
	case s.op != nil: // settle will come back to it
	case c.version != s.live:
		sl := c.slot
		s.retire(c)
		s.spawn(sl)
	default:
		s.activate(c)
	}
}

func (s *supervisor) activateAll() {
	op := s.op
	op.phase = activating
	for _, sl := range s.workers {
		op.waiting[sl.current] = struct{}{}
	}
	for _, sl := range s.workers {
		s.activate(sl.current)
	}
}

func (s *supervisor) workerIsActive(c *child) {
	if s.op == nil || s.op.phase != activating {
		return
	}
	delete(s.op.waiting, c)
	if len(s.op.waiting) > 0 {
		return
	}
	boot := s.live == nil
	s.adopt(s.op.next)
	if boot {
		s.ready()
	}
	s.applied()
}

// ready is called once, when the first version is live.
func (s *supervisor) ready() {
	if path := s.live.settings.PIDFile; path != "" {
		if err := s.runDir.writePID(path); err != nil {
			s.log.Warn("pid file not written", zap.Error(err))
		}
	}
	s.o.OnReady()
}

// failFresh gives the start of a version up. What was live before is started again.
func (s *supervisor) failFresh(worker, why string) {
	op := s.op
	s.op = nil
	s.retireAll()
	s.unstage(op)
	op.next.close()
	s.refuse(op.proposal, ipc.Refused{Code: ipc.CodeWorkerDied, Worker: worker, Reason: worker + " could not start: " + why})
	if s.live == nil || s.stop != nil {
		return
	}
	s.generation++
	s.resize(s.workerCount(s.live))
	for _, sl := range s.workers {
		s.lost(sl, "the new configuration failed")
	}
	s.settle()
}

// vacant decides what follows when a slot has lost its process, or could not get one.
func (s *supervisor) vacant(sl *slot, how string) {
	switch {
	case sl.role == ipc.RoleControl && s.live == nil:
		s.fail(fmt.Errorf("control ended before there was a configuration: %s", how))
	case sl.role == ipc.RoleWorker && s.op != nil && !s.op.hot():
		s.failFresh(sl.name(), how)
	default:
		s.lost(sl, how)
	}
}

// lostChild is the unexpected end of a child, which may be one that an apply waits for.
func (s *supervisor) lostChild(c *child, how string) {
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
	if s.op != nil && !s.op.hot() {
		s.kill(c, "drains while it is being started")
		return
	}
	s.log.Warn("drains by itself", c.fields())
	c.state, c.retired = ipc.StateDraining, true
	c.slot.current, c.slot.lastExit = nil, "drained by itself"
	c.timer = s.after(s.grace()+s.o.Timings.StopMargin, func() { s.kill(c, "did not drain in time") })
	s.lost(c.slot, c.slot.lastExit)
	s.leftApply(c, "it drains")
}
