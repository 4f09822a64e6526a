package supervisor

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// maxRecords bounds the ledger.
const maxRecords = 100

// record is an entry of the ledger while its operation, and the draining that follows from it, goes on.
type record struct {
	ipc.Record
	drops uint64 // of the kernel when it began
}

// newRecord begins an entry.
func (s *supervisor) newRecord(kind, by string) *record {
	s.recordID++
	r := &record{Record: ipc.Record{ID: s.recordID, Kind: kind, By: clip(by), At: time.Now(), Build: s.o.Build}, drops: listenDrops()}
	if s.live != nil {
		r.From, r.To = s.live.number, s.live.number
	}
	s.ledger = append(s.ledger, r)
	if len(s.ledger) > maxRecords {
		s.ledger = slices.Delete(s.ledger, 0, len(s.ledger)-maxRecords)
	}
	s.changed()
	return r
}

// begun makes the entry of a proposal.
func (s *supervisor) begun(p *proposal, kind string) {
	if p.record == nil {
		p.record = s.newRecord(kind, p.RequestedBy)
	}
}

// refused ends the entry of a proposal that changed nothing.
func (s *supervisor) refused(p *proposal, why ipc.Refused) {
	s.begun(p, ipc.RecordApply)
	p.record.Result, p.record.Reason, p.record.Took = "refused", clip(why.Reason), time.Since(p.record.At)
	s.ended(p.record)
}

// finish notes that an operation is done. Its entry ends when its workers have drained.
func (s *supervisor) finish(r *record) {
	r.Result = "done"
	s.ended(r)
}

// died enters the unexpected end of a worker. What was in flight is known as of its last heartbeat.
func (s *supervisor) died(c *child, how string) {
	r := s.newRecord(ipc.RecordWorker, c.name())
	r.Reason, r.Workers = clip(how), 1
	r.cut(c)
	s.finish(r)
	s.noteGap()
}

// cut counts what a worker took with it when it was killed.
func (r *record) cut(c *child) {
	if c.status == nil || c.status.InFlight <= 0 {
		return
	}
	r.Cut += c.status.InFlight
	r.why("killed", c.status.InFlight)
}

func (r *record) why(why string, n int64) {
	if r.CutWhy == nil {
		r.CutWhy = map[string]int64{}
	}
	if len(r.CutWhy) < 16 {
		r.CutWhy[clip(why)] += n
	}
}

// counted adds a draining worker that has ended to its entry.
func (s *supervisor) counted(c *child) {
	r := c.record
	if r == nil {
		return
	}
	r.Draining--
	if g := c.gone; g != nil {
		r.Requests += g.Finished
		r.Connections += g.Connections
		r.AfterAnswer += g.AfterAnswer
		r.Idle += g.Idle
		r.Cut += g.Cut
		for why, n := range g.CutWhy {
			r.why(why, n)
		}
	} else {
		r.cut(c)
	}
	s.changed()
	s.ended(r)
}

// ended closes an entry that is complete, and logs it.
func (s *supervisor) ended(r *record) {
	s.changed()
	if r.Draining > 0 || r.Result == "" || !r.Ended.IsZero() {
		return
	}
	r.Ended = time.Now()
	r.Refused = int64(listenDrops() - r.drops)
	if r.Workers > 0 && r.Kind == ipc.RecordRoll {
		r.Moved = s.accepted()
	}
	s.log.Info("ledger", zap.Uint64("id", r.ID), zap.String("kind", r.Kind), zap.String("by", r.By), zap.String("result", r.Result),
		zap.String("reason", r.Reason), zap.Uint64("from", r.From), zap.Uint64("to", r.To), zap.Duration("took", r.Took),
		zap.Int("workers", r.Workers), zap.Uint64("requests", r.Requests), zap.Uint64("connections", r.Connections),
		zap.Uint64("after_answer", r.AfterAnswer), zap.Uint64("idle", r.Idle), zap.Uint64("moved", r.Moved), zap.Int64("cut", r.Cut),
		zap.Any("cut_why", r.CutWhy), zap.Int64("refused", r.Refused), zap.Duration("longest_wait", r.LongestWait))
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
	if s.gap.IsZero() {
		return
	}
	waited := time.Since(s.gap)
	s.gap = time.Time{}
	if n := len(s.ledger); n > 0 {
		s.ledger[n-1].LongestWait = max(s.ledger[n-1].LongestWait, waited)
		s.changed()
	}
}

func (s *supervisor) history() ipc.History {
	var h ipc.History
	for _, r := range s.ledger {
		h.Records = append(h.Records, r.Record)
	}
	return h
}

// listenDrops is the kernel's count of connections that found a full queue, of all listeners in this network namespace; 0 where
// it does not tell.
func listenDrops() uint64 {
	data, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return 0
	}
	lines := strings.Split(string(data), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		at := slices.Index(names, "ListenDrops")
		if at < 0 || at >= len(values) || names[0] != "TcpExt:" {
			continue
		}
		n, err := strconv.ParseUint(values[at], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}
