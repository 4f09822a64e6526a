package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/supervisor/state"
)

// changed has the state file written before the loop looks at the next event.
func (s *supervisor) changed() { s.dirty = true }

// persist writes the state file now. Without it a successor would start afresh; the instance serves all the same.
func (s *supervisor) persist() {
	s.dirty = false
	if s.runDir == nil || s.stop != nil || s.upgrade.handedOver() {
		return
	}
	if err := s.stateNow().Write(s.o.RunDir); err != nil {
		if !s.unsaved {
			s.log.Error("state not written: a crash of the supervisor would cost connections now", zap.Error(err))
		}
		s.unsaved = true
		return
	}
	s.unsaved = false
}

func (s *supervisor) stateNow() *state.State {
	st := &state.State{Build: s.o.Build, LiveBuild: s.liveBuild, PID: os.Getpid(), Epoch: s.epoch, Left: s.left, Applies: s.applies, Generation: s.generation,
		Last: s.last, Serial: s.serial, Slots: len(s.workers), Control: s.control.runAs, Record: s.ledger.ID()}
	if v := s.live; v != nil {
		st.Live = &state.Version{Number: v.number, SHA: v.sha, Settings: v.settings, RunAs: v.runAs, Listeners: v.listeners, Logs: v.logs,
			EnvNames: v.names, EnvHash: hashOf(v.env)}
	}
	for id, l := range s.listeners {
		if l.foreign {
			st.Foreign = append(st.Foreign, id)
		}
	}
	slices.Sort(st.Foreign)
	for c := range s.children {
		if c.role() != ipc.RoleWorker || c.dying != "" {
			continue
		}
		w := state.Worker{Serial: c.serial, Slot: c.slot.number, Generation: c.generation, PID: c.pid(), Column: c.column, Build: c.build,
			Draining: c.state == ipc.StateDraining, Restarts: c.slot.restarts}
		if c.record != nil {
			w.Record = c.record.ID
		}
		st.Workers = append(st.Workers, w)
	}
	slices.SortFunc(st.Workers, func(a, b state.Worker) int { return a.Serial - b.Serial })
	sums := s.ledger.Sums()
	st.Ledger, st.Sums = s.ledger.Records(), &sums
	return st
}

// hashOf tells whether variables have changed, without keeping what they are.
func hashOf(env map[string]string) string {
	if len(env) == 0 {
		return ""
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(h, "%d:%s=%d:%s\n", len(name), name, len(env[name]), env[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
