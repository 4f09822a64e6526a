package control

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"pingap/control/acme"
	"pingap/control/fleet"
	"pingap/ipc"
)

// issuing is what the loop knows of certificates of CAs.
type issuing struct {
	*issuer
	wishes uint64 // so far
	told   bool   // what was stored has been told to the supervisor, or there was nothing
}

// takeIssuer takes what the supervisor gives for certificates of CAs.
func (p *process) takeIssuer(m *ipc.Message, given *ipc.ControlStart) error {
	p.issuing.issuer = &issuer{dir: given.StateDir, opt: acme.Options{Publisher: publisher{p}, Log: p.log.Named("acme"), Getenv: p.opt.ACME.Getenv,
		Issued: p.tellIssued, Failed: p.tellNotIssued}}
	if err := p.share(p.issuing.issuer); err != nil {
		return err
	}
	if given.ACME == 0 {
		return nil
	}
	fd, err := m.Take(given.ACME)
	if err != nil {
		return fmt.Errorf("state directory of ACME: %w", err)
	}
	p.issuing.given = os.NewFile(uintptr(fd), acmeFolder)
	return secretive()
}

// share has certificates got together with other nodes, where these have a secret for that.
func (p *process) share(i *issuer) error {
	target := p.opt.Job.Location.Etcd
	if target.ACMESecret == "" {
		return nil
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown" // it is for people only
	}
	i.node, err = fleet.New(fleet.Options{Target: target, Name: name, Publisher: publisher{p}, Log: p.log.Named("acme")})
	i.opt.Shared = i.node
	return err
}

// tellStored has the supervisor know the certificates that are stored for a configuration, so that workers have them before the first
// handshake; then it goes on, at the latest after storedTime. This is done once, for the first configuration.
func (p *process) tellStored(ctx context.Context, snapshot *os.File, then func(context.Context)) {
	i := &p.issuing
	var wanted []acme.Wanted
	if !i.told {
		wanted = p.wantedIn(snapshot)
	}
	if i.told || len(wanted) == 0 && !p.stale {
		i.told = true
		then(ctx)
		return
	}
	i.told = true
	i.wishes++
	number := i.wishes
	ended := false // belongs to the loop
	end := func(ctx context.Context) {
		if !ended {
			ended = true
			then(ctx)
		}
	}
	late := time.AfterFunc(storedTime, func() { p.post(ctx, end) })
	p.wg.Go(func() { // ends with the answers of the supervisor, which are bounded
		items, err := i.want(number, wanted)
		if err == nil {
			err = p.tellAll(ctx, items)
		}
		if err != nil {
			p.log.Error("stored certificates were not told to the workers", zap.Error(err))
		}
		late.Stop()
		p.post(ctx, end)
	})
}

// want has certificates requested for the configuration that has become live.
func (p *process) want(ctx context.Context, r *result) {
	i := &p.issuing
	if !r.ACME && i.wishes == 0 {
		return // nor was anything wanted before
	}
	wanted := p.wantedIn(r.snapshot)
	i.wishes++
	number := i.wishes
	p.wg.Go(func() { // ends when the disk has answered
		items, err := i.want(number, wanted)
		if err == nil && p.opt.ACME.Disabled { // nobody else will tell them
			err = p.tellAll(ctx, items)
		}
		if err != nil {
			p.log.Error("certificates cannot be requested", zap.Error(err))
		}
		p.post(ctx, p.issue)
	})
}

// issue has the work begin, once this process is who it is going to be: what it writes must be its own. Where nothing was read as root yet,
// as after a start from the last good copy, nobody knows when that will be: the work begins, and is stopped and begun again then.
func (p *process) issue(ctx context.Context) {
	r := &p.root
	if p.loading || p.opt.ACME.Disabled || p.opt.Become != nil && r.as != nil && r.sha != "" && !r.dropped && r.reason == "" {
		return
	}
	p.wg.Go(func() { // ends when the disk has answered
		if err := p.issuing.start(ctx, p.wg); err != nil {
			p.log.Error("certificates cannot be requested", zap.Error(err))
		}
	})
}

// wantedIn lists what a snapshot wants of CAs.
func (p *process) wantedIn(snapshot *os.File) []acme.Wanted {
	if snapshot == nil {
		return nil
	}
	_, s, err := readSnapshot(snapshot)
	var wanted []acme.Wanted
	if err == nil {
		wanted, err = wantedOf(s)
	}
	if err != nil {
		p.log.Error("certificates cannot be requested", zap.Error(err))
	}
	return wanted
}
