package control

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/history"
	"pingap/control/source"
	"pingap/ipc"
)

// A rollback loads a kept version where other requests load the source: written as TOML, checked by a validate child with
// the rules of this build, proposed with all that follows from it. It is live until the source changes. A start finds it
// as the newest version, with the digest that the source had; while the source still has that, the version is
// loaded and not the source.

// loadKept has a kept version judged as a load of the source would be.
func (p *process) loadKept(ctx context.Context, store *history.Store, number uint64, job Job, live *os.File) (*result, error) {
	if store == nil {
		return nil, fmt.Errorf("version %d %w: there is no state directory", number, history.ErrNotKept)
	}
	v, snapshot, err := store.Read(number)
	if err != nil {
		return nil, err
	}
	cfg, err := snapshot.Config()
	if err != nil {
		return nil, fmt.Errorf("version %d was made by another build, or is damaged: %w", number, err)
	}
	// What it is held against is the source as it is now: what was saved before is not a change that comes later.
	held, err := p.digest(ctx, job.Location)
	if err != nil {
		held = ""
	}
	job.Location = source.Memory(fmt.Sprintf("version %d", number), string(config.Write(cfg, true)))
	r, err := p.check.run(ctx, job, live, nil)
	if err != nil {
		return nil, err
	}
	r.kept, r.held, r.Digest = &v, held, v.Digest
	return r, nil
}

// failure is the refusal of a load that did not come to a verdict.
func failure(err error) *ipc.Refused {
	code := ipc.CodeResources
	if errors.Is(err, history.ErrNotKept) || errors.Is(err, history.ErrDamaged) || errors.Is(err, config.ErrSnapshot) {
		code = ipc.CodeInvalid
	}
	return &ipc.Refused{Code: code, Reason: err.Error()}
}

// held returns the version that a start makes live in place of the source: the newest, when that was a rollback and the
// source has not changed since. Whoever asks for a reload meanwhile asks for the source.
func (p *process) held(batch []*request, r *result) uint64 {
	n := p.kept.newest
	if len(batch) > 1 || !batch[0].start || batch[0].fallen || r.kept != nil {
		return 0
	}
	if n == nil || n.CopyOf == 0 || n.Held == "" || n.Held != r.Digest {
		return 0
	}
	return n.Number
}

// fallBack lets a start go on with the source when the version that it was to hold cannot be made live.
func (p *process) fallBack(ctx context.Context, batch []*request, lead *request, number uint64, why string) {
	p.kept.fallen = shorten(fmt.Sprintf("version %d, which had been rolled back to, could not be made live at the start; the source is live in its place: %s",
		number, why))
	p.log.Error("what had been rolled back to cannot be made live: the source is loaded in its place",
		zap.Uint64("version", number), zap.String("reason", why))
	lead.fallen = true
	p.loadFor(ctx, batch, 0)
}

// rolledBack notes what was made live in place of the source.
func (p *process) rolledBack(lead *request, r *result) {
	p.live.copyOf = r.kept.Number
	if lead.boot {
		p.live.copyOf = r.kept.CopyOf
	}
	if r.held != "" {
		p.seen = r.held // the watcher may be about to report it
	}
	if r.held != r.Digest && p.remote.lost == "" {
		p.log.Warn("live and source differ after a rollback: reload applies the source, and so does a start once it has changed",
			zap.Uint64("version", p.live.version), zap.Uint64("copy_of", p.live.copyOf))
	}
}

// rollback makes a kept version live.
func (c *client) rollback(ctx context.Context, b *ipc.Rollback) ipc.Body {
	number := b.Version
	if number == 0 {
		list, err := c.list(ctx)
		if err != nil {
			return failure(err)
		}
		for _, v := range list.Versions {
			if v.Number < list.Live {
				number = v.Number
			}
		}
		if number == 0 {
			return &ipc.Refused{Code: ipc.CodeInvalid, Reason: fmt.Sprintf("no version before the live one, %d, is kept", list.Live)}
		}
	}
	r := &request{by: fmt.Sprintf("rollback to %d by uid %d", number, c.uid), limit: ipc.ClassRoll, version: number}
	if !b.Wait {
		c.p.post(ctx, func(ctx context.Context) { c.p.ask(ctx, r) })
		return &ipc.Ready{}
	}
	return c.await(ctx, func(ctx context.Context, done func(ipc.Body)) {
		r.done = done
		c.p.ask(ctx, r)
	})
}
