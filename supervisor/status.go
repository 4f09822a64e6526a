package supervisor

import (
	"os"
	"slices"
	"strings"
	"time"

	"pingap/ipc"
)

// status is the answer to StatusRequest, from what is known: nobody is asked.
func (s *supervisor) status() ipc.StatusAll {
	all := ipc.StatusAll{State: s.state(), Build: s.o.Build, Degraded: s.degraded(), LastApply: s.lastApply, Epoch: s.epoch, Hurried: s.hurried}
	all.Settled = s.live != nil && s.op == nil && s.upgrade == nil && s.wantUpgrade == nil && s.adopting == nil && !s.foreign && len(s.queue) == 0
	all.LastRecord = s.ledger.Last()
	sums := s.ledger.Sums()
	all.Ledger = &sums.Totals
	if s.live != nil {
		all.Version, all.SHA, all.Listeners = s.live.number, s.live.sha, s.live.listeners
	}
	all.Processes = append(all.Processes, ipc.Process{
		Kind: ipc.RoleSupervisor, PID: os.Getpid(), State: all.State, Build: s.o.Build, Uptime: time.Since(s.started),
		Status: &ipc.Status{LogDropped: s.o.LogDropped()},
	})
	for c := range s.children {
		all.Processes = append(all.Processes, s.processOf(c))
	}
	slices.SortFunc(all.Processes[1:], func(a, b ipc.Process) int {
		return strings.Compare(a.Kind, b.Kind)*1000 + a.Slot - b.Slot
	})
	for _, f := range s.logs {
		all.Logs = append(all.Logs, f.path)
	}
	slices.Sort(all.Logs)
	return all
}

func (s *supervisor) processOf(c *child) ipc.Process {
	return ipc.Process{
		Kind: c.role(), PID: c.pid(), Slot: c.slot.number, Generation: c.generation, State: c.state, Build: c.build,
		Uptime: time.Since(c.started), Restarts: c.slot.restarts, Status: c.status, LastExit: c.slot.lastExit,
	}
}

func (s *supervisor) state() string {
	switch {
	case s.stop != nil:
		return stateStopping
	case s.live == nil:
		return stateStarting
	case s.upgrade != nil:
		return stateUpgrading
	case s.op != nil && !s.op.hot():
		return stateRolling
	case s.op != nil:
		return stateApplying
	}
	return stateRunning
}
