package control

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"pingap/control/discovery"
	"pingap/control/endpoints"
	"pingap/control/health"
	"pingap/ipc"
)

// Bounds of what a client may wait for, and what is read back after a crash.
const (
	adminTime    = 10 * time.Second // for all workers to know that a backend is drained
	readBackTime = 10 * time.Second
)

// takeBackends makes what knows the backends. Its work begins with runBackends.
func (p *process) takeBackends(given *ipc.ControlStart) {
	p.stale = given.Items > 0
	log := p.log.Named("upstream")
	p.checker = health.New(health.Options{Log: log, Report: func(r health.Result) { p.backends.Checked(r) }, Version: p.opt.Version})
	finder := discovery.New(discovery.Options{Log: log, DockerSocket: p.opt.Docker})
	p.backends = endpoints.New(endpoints.Options{Finder: finder, Checker: p.checker, Publisher: teller{p}, Arena: p.arena, Log: log,
		Turned: p.tellTurned, UpDown: p.tellUpDown, Problem: p.tellProblem})
}

// runBackends looks after them until ctx ends.
func (p *process) runBackends(ctx context.Context) {
	p.wg.Go(func() {
		if err := p.checker.Run(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("backends are not checked any more", zap.Error(err))
		}
	})
	p.wg.Go(func() { p.backends.Run(ctx) })
}

// teller brings items of package endpoints to all workers.
type teller struct{ p *process }

// Publish returns when all workers that accept have the items. One that does not take them, as it is of an older build, is no reason to tell
// all of them again; the supervisor has logged it.
func (t teller) Publish(ctx context.Context, items []ipc.StateItem) error {
	for _, m := range divided(items) {
		if err := t.p.tellState(ctx, m); err != nil && !isMissing(err) {
			return err
		}
	}
	return nil
}

// Grow makes room for more records of backends.
func (t teller) Grow(ctx context.Context, records int) error { return t.p.growArena(ctx, records) }

// resumeBackends goes on with what workers have been told before a crash, and with the live configuration, before anything is told; then it
// goes on.
func (p *process) resumeBackends(ctx context.Context, then func(context.Context)) {
	snapshot := p.live.snapshot
	if !p.stale && snapshot == nil {
		then(ctx)
		return
	}
	p.wg.Go(func() { // ends with the answers of the supervisor, which are bounded
		if p.stale {
			p.backends.Resume(p.readBack(ctx, ipc.StateWishes, ipc.StateEndpoints))
		}
		if snapshot != nil {
			if _, s, err := readSnapshot(snapshot); err != nil {
				p.log.Error("backends are not looked after", zap.Error(err))
			} else {
				p.offerPictures(ctx, s)
				p.offerWeb(ctx, s)
				if err := p.backends.Adopt(s); err != nil {
					p.log.Error("some backends are not looked after", zap.Error(err))
				}
			}
		}
		p.post(ctx, then)
	})
}

// readBack asks for items that the supervisor has kept.
func (p *process) readBack(ctx context.Context, kinds ...string) []ipc.StateItem {
	var items []ipc.StateItem
	for _, kind := range kinds {
		for more, after := true, ""; more; {
			part, err := p.askState(ctx, ipc.StateRequest{Kind: kind, After: after})
			if err != nil {
				p.log.Error("what was known of backends is not known any more", zap.Error(err))
				return items
			}
			if items = append(items, part.Items...); part.More && len(part.Items) > 0 {
				after = part.Items[len(part.Items)-1].Key
				continue
			}
			more = false
		}
	}
	return items
}

func (p *process) askState(ctx context.Context, body ipc.StateRequest) (*ipc.State, error) {
	ctx, cancel := context.WithTimeout(ctx, readBackTime)
	defer cancel()
	answer := make(chan ipc.Body, 1)
	p.post(ctx, func(ctx context.Context) {
		p.request(ctx, body, readBackTime, func(_ context.Context, b ipc.Body) { answer <- b })
	})
	select {
	case b := <-answer:
		if s, ok := b.(*ipc.State); ok {
			return s, nil
		}
		return nil, fmt.Errorf("the supervisor answered with %T", b)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// stage has the backends of a proposal found, checked and told to all workers; then it goes on.
func (p *process) stage(ctx context.Context, snapshot *os.File, then func(context.Context)) {
	p.wg.Go(func() { // ends within the bounds of Stage
		_, s, err := readSnapshot(snapshot)
		if err == nil {
			p.offerPictures(ctx, s)
			p.offerWeb(ctx, s)
			err = p.backends.Stage(ctx, s)
		}
		if err != nil {
			p.log.Warn("backends of the proposal", zap.Error(err))
		}
		p.post(ctx, then)
	})
}

// staged says what became of the proposal. Where that is not known, what was staged stays until the next one.
func (p *process) staged(answer ipc.Body) {
	switch answer.(type) {
	case *ipc.Applied:
		p.backends.Applied()
	case *ipc.Refused:
		p.backends.Refused()
	}
}

// admin takes a backend out of service, or back in.
func (c *client) admin(ctx context.Context, b *ipc.UpstreamAdmin) ipc.Body {
	switch b.Admin {
	case ipc.AdminUp, ipc.AdminDrain, ipc.AdminDown:
	default:
		return &ipc.Refused{Code: ipc.CodeInvalid, Reason: "expected up, drain or down"}
	}
	change, err := c.p.backends.SetAdmin(b.Upstream, b.Address, b.Admin, fmt.Sprintf("uid %d", c.uid))
	if err != nil {
		return &ipc.Refused{Code: ipc.CodeInvalid, Reason: err.Error()}
	}
	answer := &ipc.UpstreamChanged{Address: change.Address, Before: change.Before, Absent: change.Absent}
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	if err := c.p.backends.Await(ctx); err != nil {
		answer.Problem = err.Error()
	}
	return answer
}
