package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// maxQueue bounds the requests that wait for one load.
const maxQueue = 1000

// request asks for a load.
type request struct {
	by    string
	limit ipc.Class // the heaviest change it may make
	boot  bool      // nothing is live: failing ends the start
	start bool      // of control after one of the supervisor: what was rolled back to is held
	look  bool      // learn whether the source differs, apply nothing
	// version is a kept one to be loaded, 0 for the source, liveVersion for what is live with its files read again.
	version uint64
	write   *write // an edit of the source, that is applied; nil for none
	fallen  bool   // at boot: the version that was to be held cannot be, so it is the source
	// done gets *ipc.Applied or *ipc.Refused, in the loop; nil where nobody waits.
	done func(ipc.Body)
}

func (r *request) finish(body ipc.Body) {
	if r.done != nil {
		r.done(body)
	}
}

// loadResult is the outcome of the last load, for status.
type loadResult struct {
	at  time.Time
	by  string
	err string
}

// ask queues a request and starts a load if none is running.
func (p *process) ask(ctx context.Context, r *request) {
	if len(p.queue) >= maxQueue {
		r.finish(&ipc.Refused{Code: ipc.CodeBusy, Reason: "too many requests wait for the load that is running"})
		return
	}
	p.queue = append(p.queue, r)
	p.next(ctx)
}

// next starts a load for all that wait, up to one that wants something else loaded.
func (p *process) next(ctx context.Context) {
	if p.loading || len(p.queue) == 0 {
		return
	}
	n := 1
	for n < len(p.queue) && p.queue[n].version == p.queue[0].version && p.queue[n].write == nil && p.queue[0].write == nil {
		n++
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	if batch[0].write != nil {
		p.writeFor(ctx, batch[0])
		return
	}
	p.loadFor(ctx, batch, batch[0].version)
}

// loadFor has a kept version, or with 0 the source, read and judged.
func (p *process) loadFor(ctx context.Context, batch []*request, version uint64) {
	p.loading = true
	if p.opt.PanelOnly {
		version = emptyVersion
	}
	job, live, store := p.opt.Job, p.live.snapshot, p.kept.store
	p.wg.Go(func() {
		var r *result
		var err error
		switch version {
		case 0:
			if job, err = p.fetched(ctx, job); err == nil {
				r, err = p.check.run(ctx, job, live, nil)
			}
		case liveVersion:
			r, err = p.loadLive(ctx, job, live)
		case emptyVersion:
			r, err = p.loadEmpty(ctx, job, live)
		default:
			r, err = p.loadKept(ctx, store, version, job, live)
		}
		p.post(ctx, func(ctx context.Context) { p.judged(ctx, batch, version, r, err) })
	})
}

// judged decides what happens with a verdict.
func (p *process) judged(ctx context.Context, batch []*request, version uint64, r *result, err error) {
	lead := leader(batch)
	refuse := func(body *ipc.Refused) {
		r.close()
		if lead.boot && version != 0 && version != emptyVersion {
			p.fallBack(ctx, batch, lead, version, strings.Join(append([]string{body.Reason}, body.Errors...), "; "))
			return
		}
		why := strings.Join(append([]string{body.Reason}, clip(body.Errors, 1<<10)...), "; ")
		if version == 0 && (p.fromCopy(ctx, batch, lead, why) || p.withoutSource(ctx, batch, lead, why)) {
			return
		}
		p.finish(ctx, batch, lead, body)
	}
	if err != nil {
		refuse(failure(err))
		return
	}
	if version == 0 {
		p.seen, p.root.sha = r.Digest, r.SHA
	}
	if number := p.held(batch, r); number != 0 {
		r.close()
		if p.kept.newest.SHA == p.live.sha {
			p.finish(ctx, batch, lead, &ipc.Applied{Version: p.live.version, SHA: p.live.sha, Unchanged: true})
			return
		}
		p.loadFor(ctx, batch, number)
		return
	}
	r.Warnings, r.Changes = clip(r.Warnings, maxAllLines/2), clipChanges(r.Changes, maxChanges)
	switch {
	case len(r.Errors) > 0:
		refuse(invalid(r.Verdict))
	case r.SHA == p.live.sha:
		r.close()
		if version == 0 {
			p.live.digest, p.live.copyOf, p.remote.lost = r.Digest, 0, ""
		}
		p.finish(ctx, batch, lead, &ipc.Applied{Version: p.live.version, SHA: p.live.sha, Unchanged: true, Warnings: r.Warnings})
	case lead.look:
		r.close()
		p.missed(r.Digest)
		p.log.Info("the configuration differs from what is live; reload applies it")
		p.finish(ctx, batch, lead, &ipc.Applied{Version: p.live.version, SHA: p.live.sha, Unchanged: true})
	case !lead.boot && r.Class > lead.limit:
		refuse(&ipc.Refused{Code: ipc.CodeNeedsRoll, Reason: fmt.Sprintf("the change is more than --autoreload applies: %s",
			strings.Join(clip(r.Heavy, 1<<10), ", "))})
	default:
		p.propose(ctx, batch, lead, r)
	}
}

// leader is the request that decides how a batch is treated: the one that may
// change most.
func leader(batch []*request) *request {
	lead := batch[0]
	for _, r := range batch[1:] {
		if lead.boot {
			break
		}
		if lead.look && !r.look || !r.look && r.limit > lead.limit {
			lead = r
		}
	}
	return lead
}

// invalid is the refusal of a configuration with errors, within the size of one message.
func invalid(v Verdict) *ipc.Refused {
	reason := fmt.Sprintf("the configuration has %d errors", len(v.Errors))
	if len(v.Errors) == 1 {
		reason = "the configuration has an error"
	}
	return &ipc.Refused{Code: ipc.CodeInvalid, Reason: reason, Errors: clip(v.Errors, maxAllLines/2)}
}

// propose hands a snapshot to the supervisor.
func (p *process) propose(ctx context.Context, batch []*request, lead *request, r *result) {
	body := ipc.Propose{Base: p.live.sha, SHA: r.SHA, Who: p.who(), RequestedBy: lead.by, Class: r.Class,
		Changes: r.Changes, Listeners: r.Listeners, Logs: r.Logs, Settings: r.Settings, Env: r.Env, Number: p.lowest(r.SHA)}
	if r.kept != nil {
		body.Who, body.Fallback = "history", lead.boot
	}
	if lead.write != nil {
		body.Who = "admin"
	}
	var fds ipc.FDs
	fd, err := number(r.snapshot)
	if err != nil {
		r.close()
		p.finish(ctx, batch, lead, &ipc.Refused{Code: ipc.CodeResources, Reason: err.Error()})
		return
	}
	body.Snapshot = fds.Add(fd)
	for _, w := range r.Warnings {
		p.log.Warn("configuration", zap.String("warning", w))
	}
	stored := r.snapshot
	if !r.ACME {
		stored = nil
	}
	p.tellStored(ctx, stored, func(ctx context.Context) {
		p.stage(ctx, r.snapshot, func(ctx context.Context) {
			p.request(ctx, body, proposeTime, func(ctx context.Context, answer ipc.Body) {
				p.answered(ctx, batch, lead, r, answer)
			}, fds...)
		})
	})
}

// answered handles the supervisor's answer to a proposal.
func (p *process) answered(ctx context.Context, batch []*request, lead *request, r *result, answer ipc.Body) {
	p.staged(answer)
	a, ok := answer.(*ipc.Applied)
	if !ok {
		r.close()
		why := refused(answer, r.Heavy)
		if lead.boot && r.kept != nil {
			p.fallBack(ctx, batch, lead, r.kept.Number, why.Reason)
			return
		}
		p.finish(ctx, batch, lead, why)
		return
	}
	before := p.live
	p.live.close()
	p.live = live{version: a.Version, sha: a.SHA, snapshot: r.snapshot, digest: r.Digest}
	p.want(ctx, r)
	p.show(ctx)
	if r.refreshed {
		p.refreshed(before, r)
	}
	if r.kept != nil {
		p.rolledBack(lead, r)
	}
	if !lead.boot {
		p.kept.fallen = ""
	}
	if r.kept == nil && !r.refreshed {
		p.remote.lost = ""
	}
	p.remember(lead.by, r, a)
	p.root.as = a.RunAs
	p.runAs.tell(a.RunAs)
	if p.opt.LogSettings != nil {
		if err := p.opt.LogSettings(r.Settings.LogLevel, r.Settings.LogJSON); err != nil {
			p.log.Warn("log level", zap.Error(err))
		}
	}
	a.Warnings, a.Changes = r.Warnings, r.Changes
	p.tellApplied(lead, r, a)
	p.keep(ctx, r, a, lead, func(ctx context.Context) { p.finish(ctx, batch, lead, a) })
}

// refused makes a refusal of whatever was not Applied; heavy are the keys that
// the supervisor, which knows none, cannot name.
func refused(answer ipc.Body, heavy []string) *ipc.Refused {
	switch a := answer.(type) {
	case nil:
		return &ipc.Refused{Code: ipc.CodeTimeout, Reason: "the supervisor did not answer; what is live is shown by status"}
	case *ipc.Refused:
		if a.Code == ipc.CodeNeedsRoll && len(heavy) > 0 {
			a.Reason += " (because of " + strings.Join(clip(heavy, 1<<10), ", ") + ")"
		}
		return a
	}
	return &ipc.Refused{Code: ipc.CodeInvalid, Reason: "the supervisor answered with " + answer.Type().String()}
}

// finish ends a load: log, answers, and the next one.
func (p *process) finish(ctx context.Context, batch []*request, lead *request, body ipc.Body) {
	if _, refused := body.(*ipc.Refused); refused && lead.write != nil && lead.write.undo != nil {
		p.takeBack(ctx, lead, body)
		return
	}
	p.loading = false
	p.lastLoad = loadResult{at: time.Now(), by: lead.by}
	fields := []zap.Field{zap.String("by", lead.by)}
	switch b := body.(type) {
	case *ipc.Applied:
		if lead.look {
			break // nothing was asked for
		}
		p.log.Info(text(b.Unchanged, "configuration unchanged", "configuration applied"),
			append(fields, zap.Uint64("version", b.Version), zap.String("sha", b.SHA), zap.Int("changes", len(b.Changes)))...)
	case *ipc.Refused:
		p.lastLoad.err = b.Reason
		p.refuse(ctx, lead, b)
	}
	for _, r := range batch {
		r.finish(body)
	}
	if p.live.sha != "" {
		p.watch(ctx)
		p.watchFiles(ctx)
		p.dropRoot(ctx)
		p.issue(ctx)
	}
	p.next(ctx)
}

// refuse makes a refusal known. At boot the supervisor ends the start with it
// and prints it, later it is logged here.
func (p *process) refuse(ctx context.Context, lead *request, b *ipc.Refused) {
	if lead.boot {
		p.logSend(p.send(ctx, 0, *b))
		return
	}
	p.log.Error("configuration refused, what is live stays", zap.String("by", lead.by), zap.String("code", b.Code),
		zap.String("reason", b.Reason), zap.String("worker", b.Worker), zap.Strings("errors", b.Errors))
	p.tellRefused(lead.by, b)
}

func text(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}

// number is the descriptor of a file, without changing the mode of its description.
func number(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("snapshot: %w", err)
	}
	n := -1
	if err := raw.Control(func(fd uintptr) { n = int(fd) }); err != nil || n < 0 {
		return -1, fmt.Errorf("snapshot: %w", errors.Join(err, os.ErrClosed))
	}
	return n, nil
}
