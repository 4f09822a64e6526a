package supervisor

import (
	"fmt"
	"time"

	"pingap/ipc"
)

// tick looks for hung children ten times within the time that workers have. Time during which this loop did not run itself
// (it was stopped, the machine slept) is not held against them.
func (s *supervisor) tick() {
	interval := s.o.Timings.Heartbeat / 10
	gap := time.Since(s.lastTick) - 2*interval
	s.lastTick = time.Now()
	for c := range s.children {
		if c.state != ipc.StateActive && c.state != ipc.StateDraining {
			continue
		}
		if gap > 0 {
			c.lastSeen = c.lastSeen.Add(gap)
		}
		if silence := time.Since(c.lastSeen); silence > s.patience(c) {
			s.abort(c, fmt.Sprintf("no heartbeat for %v", silence.Round(time.Millisecond)))
		}
	}
	s.boundDraining()
	s.sign()
	s.leanIfGrown()
	s.after(interval, s.tick)
}

// patience is how long a child may be silent.
func (s *supervisor) patience(c *child) time.Duration {
	if c.role() == ipc.RoleControl {
		return s.o.Timings.Control
	}
	return s.o.Timings.Heartbeat
}
