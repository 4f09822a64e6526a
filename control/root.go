package control

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"pingap/ipc"
)

// root is what became of this process's being root. It belongs to the loop.
type root struct {
	as      *ipc.Credential // whom to run as, as the supervisor says; nil to stay
	dropped bool
	sha     string // of the newest load, read as root; empty when that had errors
	reason  string // why it is root still; empty while not known
}

// notes are for status.
func (r *root) notes() []string {
	if r.reason == "" {
		return nil
	}
	return []string{fmt.Sprintf("control stays root, as uid %d gid %d could not load the configuration: %s", r.as.UID, r.as.GID, r.reason)}
}

// dropRoot gives root up if the user whom workers run as can read all that was
// read as root: a child with that user loads the same once more. Called after
// each load until it has come to that; meanwhile no other load runs.
func (p *process) dropRoot(ctx context.Context) {
	r := &p.root
	if p.opt.Become == nil || r.as == nil || r.dropped || r.sha == "" {
		return
	}
	job, as := p.opt.Job, *r.as
	job.Watch = p.watchMode() != WatchNone
	p.loading = true
	p.wg.Go(func() {
		job, err := p.fetched(ctx, job)
		var v *result
		if err == nil {
			v, err = p.check.run(ctx, job, nil, &as)
		}
		p.issuing.stop() // nothing may be written to a folder that is given away
		p.post(ctx, func(ctx context.Context) {
			p.loading = false
			p.tried(as, v, err)
			v.close()
			p.issuing.resume()
			p.issue(ctx)
			p.next(ctx)
		})
	})
}

// tried acts on what a load by that user came to.
func (p *process) tried(as ipc.Credential, v *result, err error) {
	before := p.root.reason
	p.root.reason = shorten(p.become(as, v, err))
	switch {
	case p.root.dropped:
		p.log.Info("not root any more", zap.Uint32("uid", as.UID), zap.Uint32("gid", as.GID))
		p.beat()
	case p.root.reason != before:
		p.log.Warn("stays root: that user could not load the configuration", zap.Uint32("uid", as.UID), zap.Uint32("gid", as.GID),
			zap.String("reason", p.root.reason))
	}
}

// become returns why this process stays root, "" when it does not.
func (p *process) become(as ipc.Credential, v *result, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case len(v.Errors) > 0:
		return v.Errors[0]
	case v.SHA != p.root.sha:
		return "it reads otherwise, or has been changed meanwhile (reload tries again)"
	}
	if p.kept.store != nil {
		if err := p.kept.store.Give(int(as.UID), int(as.GID)); err != nil {
			p.keepFailed(err)
		}
	}
	if err := p.issuing.give(int(as.UID), int(as.GID)); err != nil {
		p.log.Error("certificates cannot be requested", zap.Error(err))
	}
	if err := p.ways.give(int(as.UID), int(as.GID)); err != nil {
		p.log.Error("sessions and audit log of the admin interface do not outlast control", zap.Error(err))
	}
	if err := p.opt.Become(int(as.UID), int(as.GID)); err != nil {
		return err.Error()
	}
	p.root.dropped = true
	return ""
}
