package supervisor

import (
	"fmt"
	"slices"
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
	starting                // roll: workers are being started
	activating              // roll: all are ready
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
	slots     []*slot  // roll: those of the fresh generation
}

// hot applies change running workers; the set of workers stays the same meanwhile.
func (op *apply) hot() bool { return op.phase == preparing || op.phase == committing }

// has says whether a slot is one of the generation that is being started.
func (op *apply) has(sl *slot) bool { return op != nil && slices.Contains(op.slots, sl) }

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
	for s.op == nil && s.upgrade == nil && s.adopting == nil && len(s.queue) > 0 && s.stop == nil {
		p := s.queue[0]
		if s.rolls(p) && !s.room(p) {
			return // the end of a draining worker comes back to it
		}
		s.queue = s.queue[1:]
		s.begin(p)
	}
}

// begin decides which way a proposal goes: swapped in by the workers there are, or served by fresh ones.
func (s *supervisor) begin(p *proposal) {
	liveSHA := s.liveSHA()
	members := s.activeWorkers()
	switch {
	case p.again && !s.complete(p):
		s.refuse(p, ipc.Refused{Code: ipc.CodeBusy, Reason: "nothing is live yet"})
		return
	case !p.again && p.SHA == liveSHA:
		p.close()
		p.verdict(s, ipc.Applied{Version: s.live.number, SHA: liveSHA, Unchanged: true, Workers: len(members), RunAs: s.live.runAs})
		return
	case p.Base != liveSHA:
		s.refuse(p, ipc.Refused{Code: ipc.CodeStale, Reason: "the live configuration changed meanwhile; load again"})
		return
	}
	s.makeRoom(p.Settings.Counters, p.Settings.Totals)
	op := &apply{proposal: p, txn: s.nextTxn(), began: time.Now(), waiting: map[*child]struct{}{}}
	if refused := s.stage(op); refused != nil {
		s.refuse(p, *refused)
		return
	}
	op.next = s.versionOf(p)
	s.reloading()
	s.op = op
	if s.rolls(p) {
		s.begun(p, text(s.live == nil, ipc.RecordStart, ipc.RecordRoll))
		s.startGeneration()
		return
	}
	s.begun(p, ipc.RecordApply)
	// Figures of the processes themselves need fresh ones: those in use stay.
	op.next.settings = hotSettings(s.live.settings, op.next.settings)
	op.next.runAs = s.live.runAs
	s.prepare(members)
}

// rolls says whether a proposal takes fresh workers.
func (s *supervisor) rolls(p *proposal) bool {
	return p.again || p.Class > ipc.ClassListeners || s.foreign || len(s.activeWorkers()) == 0
}

// liveSHA is what a proposal has to be based on. A version that came from another build is nothing to base on.
func (s *supervisor) liveSHA() string {
	if s.live == nil || s.foreign {
		return ""
	}
	return s.live.sha
}

// versionOf makes the version of a proposal. That of a roll is the live one once more, with its number.
func (s *supervisor) versionOf(p *proposal) *version {
	if p.again {
		v := p.version(s.live.number)
		v.runAs = s.live.runAs
		return v
	}
	if s.live != nil && p.SHA == s.live.sha { // loaded once more by another build
		return p.version(s.live.number)
	}
	return p.version(max(s.applies+1, p.Number))
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
		s.dropListener(s.listeners[id])
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
		prepare.Listeners = s.listenersFor(op, &fds)
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

// listenersFor names all listeners of the version under way, and adds the sockets of those that running workers lack.
func (s *supervisor) listenersFor(op *apply, fds *ipc.FDs) []ipc.Listener {
	all := []ipc.Listener{}
	for _, l := range op.next.listeners {
		if !slices.ContainsFunc(s.live.listeners, func(old ipc.Listener) bool { return old.ID == l.ID }) {
			l.FD = fds.Add(s.listeners[l.ID].fd)
		}
		all = append(all, l)
	}
	return all
}

// commit makes the new version live everywhere. From the first COMMIT on there is no way back: who does not follow is
// killed and comes back with the new version.
func (s *supervisor) commit() {
	op := s.op
	op.timer.cancel()
	op.phase = committing
	s.adopt(op.next)
	s.persist() // from here on a successor rolls forward
	s.quietUnwanted()
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
	old := s.live
	s.live, s.applies, s.liveBuild = v, max(s.applies, v.number), s.o.Build
	s.storeSnapshot(old, v)
	if old != nil {
		old.close()
	}
	s.changed()
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
	op.record.Took, op.record.To = took, s.live.number
	if op.hot() {
		op.record.Workers = len(op.members)
	}
	s.ledger.Done(op.record)
	op.verdict(s, ipc.Applied{Version: s.live.number, SHA: s.live.sha, Workers: len(s.workers), Took: took, Changes: op.Changes, RunAs: s.live.runAs})
	s.notifyStatus()
	s.settle()
}

// refuse answers a proposal that changed nothing.
func (s *supervisor) refuse(p *proposal, why ipc.Refused) {
	p.close()
	s.log.Warn("configuration refused", zap.String("code", why.Code), zap.String("reason", why.Reason),
		zap.String("worker", why.Worker), zap.String("requested_by", clip(p.RequestedBy)))
	s.remember(p, why.Reason)
	s.begun(p, ipc.RecordApply)
	s.ledger.Refuse(p.record, clip(why.Reason))
	p.verdict(s, why)
	if s.live == nil && s.stop == nil && !p.Fallback {
		s.fail(fmt.Errorf("the configuration cannot be applied: %s", why.Reason))
	}
}

func (s *supervisor) remember(p *proposal, err string) {
	s.lastApply = &ipc.ApplyResult{At: time.Now(), SHA: p.SHA, RequestedBy: clip(p.RequestedBy), Error: err}
}

// settle lets everything happen that had to wait for the apply: workers to be started or activated, then the next proposal.
func (s *supervisor) settle() {
	s.reloaded()
	if s.handOffTimer != nil {
		s.leave("restart")
		return
	}
	if s.beginUpgrade() {
		return
	}
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

func text(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}
