package control

import (
	"context"
	"os"

	"go.uber.org/zap"

	"pingap/control/source"
)

// emptyVersion is in the place of a version where nothing is to be served but the admin interface.
const emptyVersion = ^uint64(0) - 1

// withoutSource lets a start go on without the source, and reports whether it does: with --admin what cannot be loaded can be repaired in the panel.
func (p *process) withoutSource(ctx context.Context, batch []*request, lead *request, why string) bool {
	if p.opt.Job.Admin == "" || !lead.boot || lead.fallen || p.load != "" {
		return false
	}
	p.kept.fallen = shorten("the configuration could not be loaded at the start, nothing is served but the admin interface; reload applies it once it is repaired: " + why)
	p.log.Error("the configuration cannot be loaded: nothing is served but the admin interface, so that it can be repaired", zap.String("reason", why))
	lead.fallen = true
	p.loadFor(ctx, batch, emptyVersion)
	return true
}

// loadEmpty judges a configuration that has nothing in it but what --admin implies.
func (p *process) loadEmpty(ctx context.Context, job Job, live *os.File) (*result, error) {
	job.Location, job.Documents, job.Watch = source.Memory("nothing", "# nothing but the admin interface\n"), nil, false
	r, err := p.check.run(ctx, job, live, nil)
	if err == nil {
		r.empty = true
	}
	return r, err
}
