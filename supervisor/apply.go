package supervisor

import (
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// maxQueue bounds the proposals that wait; control sends one at a time.
const maxQueue = 8

// phase is where an apply stands.
type phase int

const (
	preparing  phase = iota // hot: nothing has changed yet
	committing              // hot: live already, waiting for the rest
	starting                // fresh: workers are being started
	activating              // fresh: all are ready
)

// apply is a proposal on its way to being live. There is one at a time.
type apply struct {
	*proposal
	next    *version
	phase   phase
	txn     uint32              // of PREPARE, COMMIT, ABORT
	members []*child            // hot: all that were asked
	waiting map[*child]struct{} // those that have not answered
	timer   *timer
	began   time.Time

	listeners []string // ids bound for it, to be closed when it fails
	logs      []string // ids opened for it, likewise
}

// hot applies change running workers; the set of workers stays the same meanwhile.
func (op *apply) hot() bool { return op.phase == preparing || op.phase == committing }

// propose queues a proposal.
func (s *supervisor) propose(p *proposal) {
	if s.stop != nil || len(s.queue) >= maxQueue {
		s.refuse(p, ipc.Refused{Code: ipc.CodeBusy, Reason: "stopping, or too many proposals at once"})
		return
	}
	s.queue = append(s.queue, p)
	s.next()
}

// next begins the first proposal in the queue if nothing is running.
func (s *supervisor) next() {
	for s.op == nil && len(s.queue) > 0 && s.stop == nil {
		p := s.queue[0]
		s.queue = s.queue[1:]
		s.begin(p)
	}
}

// begin decides which way a proposal goes. A roll, and listeners added to running workers, will branch off here.
func (s *supervisor) begin(p *proposal) {
	liveSHA := ""
	if s.live != nil {
		liveSHA = s.live.sha
	}
	members := s.activeWorkers()
	switch {
	case p.SHA == liveSHA:
		p.close()
		p.answer(s, ipc.Applied{Version: s.live.number, SHA: liveSHA, Unchanged: true, Workers: len(members)})
		return
	case p.Base != liveSHA:
		s.refuse(p, ipc.Refused{Code: ipc.CodeStale, Reason: "the live configuration changed meanwhile; load again"})
		return
	case len(members) > 0 && p.Class > ipc.ClassHot:
		s.refuse(p, ipc.Refused{Code: ipc.CodeNeedsRoll, Path: heaviest(p.Changes),
			Reason: "needs fresh workers; restart pingap to apply"})
		return
	case len(members) > 0 && !s.sameListeners(p.Listeners):
		s.refuse(p, ipc.Refused{Code: ipc.CodeNeedsRoll, Reason: "listeners change; restart pingap to apply"})
		return
	}
	op := &apply{proposal: p, txn: s.nextTxn(), began: time.Now(), waiting: map[*child]struct{}{}}
	if refused := s.stage(op); refused != nil {
		s.refuse(p, *refused)
		return
	}
	op.next = p.version(s.applies + 1)
	s.op = op
	if len(members) == 0 {
		s.startFresh()
		return
	}
	// Figures of the processes themselves need fresh ones: those in use stay.
	op.next.settings = hotSettings(s.live.settings, op.next.settings)
	op.next.runAs = s.live.runAs
	s.prepare(members)
}

// heaviest names the first object of the highest class.
func heaviest(changes []ipc.Change) string {
	var top ipc.Change
	for _, c := range changes {
		if c.Class > top.Class {
			top = c
		}
	}
	return clip(top.Object)
}

// stage opens and binds what the proposal needs beyond what there is; on an error nothing stays.
func (s *supervisor) stage(op *apply) *ipc.Refused {
	logs, err := s.openMissing(op.Logs)
	if err != nil {
		return &ipc.Refused{Code: ipc.CodeLog, Reason: err.Error()}
	}
	listeners, err := s.bindMissing(op.Listeners)
	if err != nil {
		closeLogs(logs)
		return &ipc.Refused{Code: ipc.CodeListen, Reason: err.Error()}
	}
	for _, f := range logs {
		s.logs[f.target.ID] = f
		op.logs = append(op.logs, f.target.ID)
	}
	for _, l := range listeners {
		s.listeners[l.ID] = l
		op.listeners = append(op.listeners, l.ID)
	}
	return nil
}

// unstage is the undoing of stage.
func (s *supervisor) unstage(op *apply) {
	for _, id := range op.logs {
		s.logs[id].close()
		delete(s.logs, id)
	}
	for _, id := range op.listeners {
		closeListeners([]*listener{s.listeners[id]})
		delete(s.listeners, id)
	}
}

// prepare asks all active workers to build the new site.
func (s *supervisor) prepare(members []*child) {
	op := s.op
	op.phase, op.members = preparing, members
	for _, c := range members {
		op.waiting[c] = struct{}{}
	}
	op.timer = s.after(s.o.Timings.Prepare, s.prepareLate)
	for _, c := range members {
		prepare := ipc.Prepare{Version: op.next.number, Base: op.Base, SHA: op.next.sha, Env: op.next.env}
		var fds ipc.FDs
		prepare.Snapshot = fds.Add(op.next.snapshot)
		var files []*logFile
		for _, id := range op.logs {
			files = append(files, s.logs[id])
		}
		prepare.Logs = logTargets(files, &fds)
		s.send(c, op.txn, prepare, fds...) // where it fails the child is killed, and its end aborts
	}
}

func (s *supervisor) prepareLate() {
	for c := range s.op.waiting {
		s.abortApply(ipc.Refused{Code: ipc.CodeTimeout, Worker: c.name(),
			Reason: fmt.Sprintf("%s did not prepare within %v", c.name(), s.o.Timings.Prepare)})
		return
	}
}

// asked reports whether an answer of this transaction is awaited from the child in this phase. Answers to what
// has been aborted meanwhile are not.
func (s *supervisor) asked(c *child, txn uint32, ph phase) bool {
	if s.op == nil || s.op.txn != txn || s.op.phase != ph {
		return false
	}
	_, waiting := s.op.waiting[c]
	return waiting
}

func (s *supervisor) prepared(c *child, txn uint32, sha string) {
	if !s.asked(c, txn, preparing) {
		return
	}
	if sha != s.op.next.sha {
		s.abortApply(ipc.Refused{Code: ipc.CodeInvalid, Worker: c.name(), Reason: c.name() + " prepared another configuration"})
		return
	}
	delete(s.op.waiting, c)
	if len(s.op.waiting) == 0 {
		s.commit()
	}
}

// nacked is a worker's refusal, of a PREPARE or of its START.
func (s *supervisor) nacked(c *child, txn uint32, b *ipc.Nack) {
	if c.state == ipc.StateStarting {
		s.kill(c, strings.TrimSpace(b.Path+" "+b.Message))
		return
	}
	if s.asked(c, txn, preparing) {
		s.abortApply(ipc.Refused{Code: clip(b.Code), Path: clip(b.Path), Worker: c.name(),
			Reason: c.name() + " refused: " + clip(b.Message)})
	}
}

// abortApply leaves everything as it was and says why.
func (s *supervisor) abortApply(why ipc.Refused) {
	op := s.op
	op.timer.cancel()
	s.op = nil
	for _, c := range op.members {
		if c.active() {
			s.send(c, op.txn, ipc.Abort{})
		}
	}
	s.unstage(op)
	op.next.close()
	s.refuse(op.proposal, why)
	s.settle()
}

// commit makes the new version live everywhere. From the first COMMIT on there is no way back: who does not follow is
// killed and comes back with the new version.
func (s *supervisor) commit() {
	op := s.op
	op.timer.cancel()
	op.phase = committing
	s.adopt(op.next)
	for _, c := range op.members {
		op.waiting[c] = struct{}{}
	}
	op.timer = s.after(s.o.Timings.Commit, func() {
		for c := range op.waiting {
			s.kill(c, fmt.Sprintf("did not commit within %v", s.o.Timings.Commit))
			delete(op.waiting, c)
		}
		s.applied()
	})
	for _, c := range op.members {
		s.send(c, op.txn, ipc.Commit{})
	}
}

// adopt replaces the live version.
func (s *supervisor) adopt(v *version) {
	if s.live != nil {
		s.live.close()
	}
	s.live, s.applies = v, v.number
}

func (s *supervisor) committed(c *child, txn uint32, sha string) {
	if !s.asked(c, txn, committing) {
		return
	}
	if sha != s.live.sha {
		s.kill(c, "committed another configuration")
		return // its end is the answer
	}
	c.version = s.live
	s.answered(c)
}

// answered strikes a member off while committing, by its answer or by its end.
func (s *supervisor) answered(c *child) {
	delete(s.op.waiting, c)
	if len(s.op.waiting) == 0 {
		s.op.timer.cancel()
		s.applied()
	}
}

// applied is the good end of both ways.
func (s *supervisor) applied() {
	op := s.op
	s.op = nil
	s.keepLogs(s.live)
	s.keepListeners(s.live)
	s.rollLogs()
	took := time.Since(op.began)
	s.log.Info("configuration applied", zap.Uint64("version", s.live.number), zap.String("sha", s.live.sha),
		zap.String("requested_by", clip(op.RequestedBy)), zap.Int("changes", len(op.Changes)), zap.Duration("took", took))
	s.remember(op.proposal, "")
	op.answer(s, ipc.Applied{Version: s.live.number, SHA: s.live.sha, Workers: len(s.workers), Took: took, Changes: op.Changes, RunAs: s.live.runAs})
	s.settle()
}

// refuse answers a proposal that changed nothing.
func (s *supervisor) refuse(p *proposal, why ipc.Refused) {
	p.close()
	s.log.Warn("configuration refused", zap.String("code", why.Code), zap.String("reason", why.Reason),
		zap.String("worker", why.Worker), zap.String("requested_by", clip(p.RequestedBy)))
	s.remember(p, why.Reason)
	p.answer(s, why)
	if s.live == nil && s.stop == nil {
		s.fail(fmt.Errorf("the configuration cannot be applied: %s", why.Reason))
	}
}

func (s *supervisor) remember(p *proposal, err string) {
	s.lastApply = &ipc.ApplyResult{At: time.Now(), SHA: p.SHA, RequestedBy: clip(p.RequestedBy), Error: err}
}

// settle lets everything happen that had to wait for the apply: workers to be started or activated, then the next proposal.
func (s *supervisor) settle() {
	for _, sl := range s.workers {
		if sl.wanted {
			s.spawn(sl)
		}
		if c := sl.current; c != nil && c.state == ipc.StateReady && !c.activated {
			s.workerIsReady(c)
		}
	}
	s.next()
}
