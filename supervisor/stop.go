package supervisor

import (
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// stopping is the end of the instance under way: workers drain, then control goes, then Run returns.
type stopping struct {
	fast    bool
	timeout time.Duration // told to the workers
	timer   *timer
	control bool // control has been told
	drained bool // workers have been told to drain
	record  *ledger.Entry
}

// beginStop drains all workers; called again with fast it stops waiting for them.
func (s *supervisor) beginStop(fast bool, who string) {
	if s.stop != nil {
		if fast && !s.stop.fast {
			s.log.Warn("stopping at once", zap.String("by", who))
			s.stopNow()
		}
		return
	}
	s.stop = &stopping{timeout: s.grace()}
	s.log.Info("stopping", zap.String("by", who), zap.Bool("fast", fast), zap.Duration("grace_period", s.stop.timeout))
	s.stop.record = s.enter(ipc.RecordStop, who)
	s.runDir.Intend(true)
	s.told(s.manager().Send("STOPPING=1"))
	s.dropApplies()
	s.dropVault()
	for _, sl := range append([]*slot{s.control}, s.workers...) {
		sl.respawn.cancel()
	}
	if fast || s.live == nil {
		s.stopNow()
		return
	}
	s.quietListeners()
	s.stop.timer = s.after(s.o.Timings.Quiet, s.finishAll)
}

// drainAll drains all workers. Connections that wait are theirs to take first.
func (s *supervisor) drainAll() {
	s.stop.drained = true
	for _, c := range s.workersAlive() {
		s.drainToStop(c)
	}
	s.closeListeners()
}

// finishAll lets the workers finish within the grace period.
func (s *supervisor) finishAll() {
	s.drainAll()
	s.stop.timer.cancel()
	s.stop.timer = s.after(s.stop.timeout+s.margin(), s.killWorkers)
	s.stopProgress()
}

func (s *supervisor) grace() time.Duration {
	if s.live != nil && s.live.settings.GracePeriod > 0 {
		return s.live.settings.GracePeriod
	}
	return s.o.Timings.Grace
}

// margin is how long a worker may take to close what is left once its last limit is over.
func (s *supervisor) margin() time.Duration {
	if s.live == nil {
		return s.o.Timings.StopMargin
	}
	return orDefault(s.live.settings.Drain.Close, s.o.Timings.StopMargin)
}

// dropApplies refuses what is running and what waits.
func (s *supervisor) dropApplies() {
	refused := ipc.Refused{Code: ipc.CodeStopping, Reason: "pingap is being stopped"}
	for _, p := range s.queue {
		s.refuse(p, refused)
	}
	s.queue = nil
	if s.op == nil {
		return
	}
	op := s.op
	s.op = nil
	op.timer.cancel()
	if op.phase == committing {
		s.keepLogs(s.live)
		s.ledger.Done(op.record)
		op.verdict(s, ipc.Applied{Version: s.live.number, SHA: s.live.sha, Workers: len(op.members), Changes: op.Changes})
		return
	}
	if !op.hot() {
		s.dropGeneration(op)
		s.refuse(op.proposal, refused)
		return
	}
	for _, c := range op.members {
		s.send(c, op.txn, ipc.Abort{})
	}
	s.unstage(op)
	op.next.close()
	s.refuse(op.proposal, refused)
}

// drainToStop lets a worker finish within the grace period, which holds for long connections too. One that never accepted has nothing
// to finish, one that drains already has no longer than the others.
func (s *supervisor) drainToStop(c *child) {
	order := s.drainOf("stop")
	order.Spread, order.Timeout, order.LongTimeout = 0, s.stop.timeout, s.stop.timeout
	order.Hard = s.stop.timeout + s.margin()
	switch {
	case c.state == ipc.StateDraining:
		s.send(c, 0, ipc.DrainFaster{Timeout: s.stop.timeout})
	case c.activated:
		s.drain(c, order, s.stop.record)
	default:
		c.timer.cancel()
		s.kill(c, "stopped before it was active")
	}
}

// stopNow gives all workers a moment to leave by themselves.
func (s *supervisor) stopNow() {
	s.stop.fast = true
	s.stop.timer.cancel()
	if !s.stop.drained { // it was still quiet
		s.drainAll()
	}
	for _, c := range s.workersAlive() {
		s.send(c, 0, ipc.Stop{Fast: true})
	}
	s.stop.timer = s.after(s.o.Timings.StopFast, s.killWorkers)
	s.stopProgress()
}

func (s *supervisor) killWorkers() {
	for _, c := range s.workersAlive() {
		s.kill(c, "did not stop in time")
	}
}

// workersAlive returns all workers that have not been reaped, of whatever slot.
func (s *supervisor) workersAlive() []*child {
	var all []*child
	for c := range s.children {
		if c.role() == ipc.RoleWorker {
			all = append(all, c)
		}
	}
	return all
}

// stopProgress goes on to control when the last worker has gone, and ends the loop after control: it answers status
// while workers drain.
func (s *supervisor) stopProgress() {
	if len(s.children) == 0 {
		s.stop.timer.cancel()
		s.ledger.Done(s.stop.record)
		s.done = true
		return
	}
	if len(s.workersAlive()) > 0 || s.stop.control {
		return
	}
	s.stop.control = true
	s.stop.timer.cancel()
	for c := range s.children {
		s.send(c, 0, ipc.Stop{})
		s.stop.timer = s.after(s.o.Timings.StopFast, func() { s.kill(c, "did not stop in time") })
	}
}
