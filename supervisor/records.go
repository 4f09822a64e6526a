package supervisor

import (
	"time"

	"pingap/ipc"
	"pingap/supervisor/ledger"
)

// enter opens an entry of the ledger.
func (s *supervisor) enter(kind, by string) *ledger.Entry {
	live := uint64(0)
	if s.live != nil {
		live = s.live.number
	}
	return s.ledger.Begin(kind, clip(by), live)
}

// begun makes the entry of a proposal.
func (s *supervisor) begun(p *proposal, kind string) {
	if p.record == nil {
		p.record = s.enter(kind, p.RequestedBy)
	}
}

// died enters the unexpected end of a worker. What was in flight is known as of its last heartbeat.
func (s *supervisor) died(c *child, how string) {
	r := s.enter(ipc.RecordWorker, c.name())
	r.Reason, r.Workers = clip(how), 1
	s.ledger.Died(r, inFlight(c))
	s.ledger.Done(r)
	s.noteGap()
}

// ended tells control of an operation, for events: now or as soon as it listens.
func (s *supervisor) ended(r ipc.Record) {
	if s.untold = append(s.untold, r); len(s.untold) > ledger.Max {
		s.untold, s.telling = s.untold[1:], max(s.telling-1, 0)
	}
	s.tellRecords()
}

// tellRecords tells what control does not know, one message at a time.
func (s *supervisor) tellRecords() {
	c := s.control.current
	if s.telling > 0 || len(s.untold) == 0 || c == nil || !c.active() {
		return
	}
	if s.send(c, 0, ipc.Recorded{Records: s.untold}) {
		s.telling = len(s.untold)
	}
}

// recordsTold is control's answer.
func (s *supervisor) recordsTold() {
	s.untold, s.telling = s.untold[s.telling:], 0
	s.tellRecords()
}

// inFlight is a worker's word, as of its last heartbeat.
func inFlight(c *child) int64 {
	if c.status == nil {
		return 0
	}
	return max(0, min(c.status.InFlight, 1<<32))
}

// accepted is how many connections the workers of the live generation have taken, as of their last heartbeats.
func (s *supervisor) accepted() (n uint64) {
	for _, sl := range s.workers {
		if sl.current != nil && sl.current.status != nil {
			n += sl.current.status.Accepted
		}
	}
	return n
}

// noteGap notes when nobody accepts any more: connections wait in the kernel's queues from then on.
func (s *supervisor) noteGap() {
	if !s.gap.IsZero() || s.stop != nil || s.live == nil {
		return
	}
	for c := range s.children {
		if c.state == ipc.StateActive && c.dying == "" {
			return
		}
	}
	s.gap = time.Now()
}

// accepting ends a gap, and enters it where it belongs: in the last entry.
func (s *supervisor) accepting() {
	if !s.gap.IsZero() {
		s.ledger.Waited(time.Since(s.gap))
		s.gap = time.Time{}
	}
}
