package control

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"pingap/control/admin"
	"pingap/control/admin/api"
	"pingap/control/admin/explain"
	panel "pingap/control/admin/web"
	"pingap/control/web"
	"pingap/ipc"
)

// ways are the ways into the admin interface.
type ways struct {
	local *web.Local // on the socket of the run directory; nil where there is none
	admin *admin.Handler
}

// routes are all that the admin interface answers: a list for each part.
func (p *process) routes() []api.Route {
	return slices.Concat(p.objects().Routes(), p.shown.recent.Routes(), p.shown.tail.Routes(), (&explain.Part{Asker: explainer{p}}).Routes())
}

// takeAdmin takes the socket of the admin interface, if one came. Without it everything else works.
func (p *process) takeAdmin(m *ipc.Message, given *ipc.ControlStart) {
	if given.Admin == 0 {
		return
	}
	local := &web.Local{Log: p.log.Named("admin")}
	fd, err := m.Take(given.Admin)
	if err == nil {
		err = local.Open(fd)
	}
	if err != nil {
		p.log.Error("no admin interface in the run directory", zap.Error(err))
		return
	}
	p.ways.local = local
}

// runAdmin begins to answer.
func (p *process) runAdmin(ctx context.Context) {
	p.shown.tail.Open = func() { p.openWeb(ctx) }
	p.wg.Go(func() { p.shown.recent.Run(ctx) }) // ends with ctx
	options := admin.Options{Log: p.log.Named("admin"), Routes: p.routes()}
	if files, err := panel.New(); err == nil {
		options.Panel = files
	} else {
		p.log.Error("the admin interface has no panel", zap.Error(err))
	}
	p.ways.admin = admin.New(options)
	if p.ways.local != nil {
		p.ways.local.Handler = p.ways.admin.Local(web.UserOf)
		p.wg.Go(func() { p.ways.local.Run(ctx) }) // ends with ctx
	}
}
