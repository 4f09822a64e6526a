package control

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/admin"
	"pingap/control/admin/api"
	"pingap/control/admin/auth"
	"pingap/control/admin/explain"
	panel "pingap/control/admin/web"
	"pingap/control/web"
	"pingap/ipc"
)

// adminFolder is where sessions and the audit log are kept, in the state directory.
const adminFolder = "admin"

// ways are the ways into the admin interface.
type ways struct {
	log    *zap.Logger
	local  *web.Local // on the socket of the run directory; nil where there is none
	admin  *admin.Handler
	gate   *auth.Gate
	getenv func(string) string
	folder *os.Root // nil where nothing is kept
}

// routes are all that the admin interface answers beside logging in: a list for each part.
func (p *process) routes() []api.Route {
	return slices.Concat(p.objects().Routes(), p.shown.recent.Routes(), p.shown.tail.Routes(), (&explain.Part{Asker: explainer{p}}).Routes(),
		[]api.Route{admin.Description()})
}

// makeWays prepares them with what the supervisor gave. Without its socket, and without a folder, everything else works.
func (p *process) makeWays(given *ipc.ControlStart, m *ipc.Message) {
	w := &p.ways
	w.log = p.log.Named("admin")
	if w.getenv = p.opt.ACME.Getenv; w.getenv == nil {
		w.getenv = func(string) string { return "" }
	}
	w.gate = auth.New(w.log, nil)
	if err := w.takeSocket(given, m); err != nil {
		w.log.Error("no admin interface in the run directory", zap.Error(err))
	}
	if err := w.takeFolder(given, m); err != nil {
		w.log.Error("sessions and audit log of the admin interface do not outlast control", zap.Error(err))
	}
}

func (w *ways) takeSocket(given *ipc.ControlStart, m *ipc.Message) error {
	if given.Admin == 0 {
		return nil
	}
	fd, err := m.Take(given.Admin)
	if err != nil {
		return err
	}
	local := &web.Local{Log: w.log}
	if err := local.Open(fd); err != nil {
		return err
	}
	w.local = local
	return nil
}

// takeFolder opens the folder, in whichever way this process may, and reads what is there.
func (w *ways) takeFolder(given *ipc.ControlStart, m *ipc.Message) error {
	var path string
	switch {
	case given.AdminDir != 0:
		fd, err := m.Take(given.AdminDir)
		if err != nil {
			return err
		}
		opened := os.NewFile(uintptr(fd), adminFolder)
		defer opened.Close()
		path = "/proc/self/fd/" + strconv.Itoa(fd)
	case given.StateDir == "":
		return nil
	default:
		path = filepath.Join(given.StateDir, adminFolder)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
	}
	folder, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	w.folder = folder
	if err := folder.Chmod(".", 0o700); err != nil {
		return err
	}
	return w.gate.Keep(folder)
}

// give makes the folder that of the user whom this process is about to run as.
func (w *ways) give(uid, gid int) error {
	if w.folder == nil {
		return nil
	}
	if err := giveAll(w.folder, uid, gid); err != nil {
		return fmt.Errorf("give to uid %d: %w", uid, err)
	}
	return nil
}

// AdminFolder opens the folder of a state directory that the admin interface keeps things in, for a process that may not; nil where there is none.
func AdminFolder(state string) *os.File { return openFolder(state, adminFolder) }

// runAdmin begins to answer, and keeps what is to outlast this process.
func (p *process) runAdmin(ctx context.Context) {
	p.shown.tail.Open = func() { p.openWeb(ctx) }
	p.wg.Go(func() { p.shown.recent.Run(ctx) }) // ends with ctx
	w := &p.ways
	options := admin.Options{Log: w.log, Gate: w.gate, Routes: p.routes()}
	if files, err := panel.New(); err == nil {
		options.Panel = files
	} else {
		w.log.Error("the admin interface has no panel", zap.Error(err))
	}
	w.admin = admin.New(options)
	if w.local != nil {
		w.local.Handler = w.admin.Local(web.UserOf)
		p.wg.Go(func() { w.local.Run(ctx) }) // ends with ctx
	}
	p.wg.Go(func() { w.gate.Run(ctx) }) // likewise
}

// passed answers what admin plugins pass on.
func (w *ways) passed() http.Handler {
	fields := admin.Fields{Client: ipc.WebClient, Scheme: ipc.WebScheme, Prefix: ipc.WebPrefix}
	return http.StripPrefix(ipc.WebAdmin, w.admin.Passed(fields))
}

// guard has the plugins of a configuration say who may come. Parameters that cannot be read let nobody in: plugins/admin has
// checked them, so that is a variable of the environment that control lacks.
func (w *ways) guard(s *config.Snapshot) {
	all := map[string]*auth.Settings{}
	for _, o := range s.Objects() {
		if o.Kind != config.KindPlugin {
			continue
		}
		plugin, err := s.Plugin(o.Name)
		if err != nil || plugin.Category != auth.Category || plugin.Params["mode"] == "shadow" {
			continue
		}
		settings, err := auth.ParseSettings(plugin.Params, w.getenv)
		if err != nil {
			w.log.Error("nobody gets in by this plugin", zap.String("plugin", o.Name), zap.Error(err))
			continue
		}
		all[o.Name] = settings
	}
	w.gate.SetGuards(all)
}
