package worker

import (
	"context"
	"os"
	"sync/atomic"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/worker/accept"
	"pingap/worker/accesslog"
	"pingap/worker/certs"
	"pingap/worker/endpoints"
	"pingap/worker/errorpage"
	"pingap/worker/process"
	"pingap/worker/proxy"
	"pingap/worker/route"
	"pingap/worker/trace"
	"pingap/worker/upstream"
)

// site is one configuration as this worker serves it, with what the next one may take over from it. It never changes.
type site struct {
	*proxy.Site
	sha          string
	memfd        *os.File        // the snapshot, for a supervisor that comes to the rescue; nil while being built
	objects      []config.Object // index of the snapshot
	basic        *config.Basic
	basicSha     config.Sha
	servers      map[string]*server
	locations    map[string]*location
	upstreams    map[string]*backends
	plugins      map[string]*plugin
	outlets      map[string]*outlet
	exporters    map[string]*exporter // of traces, by URL
	formats      map[string]*accesslog.Format
	certificates *certs.Set
	sockets      accept.Sockets
	shared       []*shared // all that it uses
	made         made
}

// made counts what was built anew and not taken over. Bindings are locations with another upstream or plugin than before,
// which costs next to nothing.
type made struct{ upstreams, locations, bindings, plugins, tables, writers int }

func (m made) total() int { return m.upstreams + m.locations + m.plugins + m.tables + m.writers }

// backends is an upstream and what it was built from.
type backends struct {
	*upstream.Upstream
	sha  config.Sha
	pool int // basic.upstream_keepalive_pool_size
	book *endpoints.Book
}

// Close ends the upstream, which hears of its backends no more.
func (b *backends) Close() {
	b.book.Detach(b.Upstream)
	b.Upstream.Close()
}

// plugin is an instance and what it was built from.
type plugin struct {
	shared
	*plugins.Instance
	sha config.Sha
}

// builder builds sites, one at a time.
type builder struct {
	registry  *plugins.Registry
	env       func(string) (string, bool)
	version   string
	arena     *arena.Arena
	endpoints *endpoints.Book
	log       *zap.Logger
	logs      *outlets
	traces    *trace.Exporters
	owners    *owners
	beat      *proxy.Server
	security  security
	// still makes sites that are only looked at: they open no log, send nothing, and count nothing.
	still bool
}

// recipe is what a site is made of.
type recipe struct {
	snapshot *config.Snapshot
	number   uint64   // the version
	servers  []string // by index in proxy.Site.Servers, empty where there is to be none
	live     *site    // what may be taken over; nil at the start
}

// work is a site being built.
type work struct {
	*builder
	*site
	recipe
	pace    process.Pace
	touched map[string]bool // locations that are not in the live site in the same form
	tables  map[config.Kind]int
}

// build makes a site of a snapshot and touches nothing live. What has the same hash in the live site is taken over.
// After an error nothing of it is left.
func (b *builder) build(ctx context.Context, r recipe) (*site, error) {
	serving := r.live != nil
	if !serving {
		r.live = &site{}
	}
	live := r.live
	w := &work{builder: b, recipe: r, site: newSite(r.snapshot, r.number, live),
		touched: config.TouchedLocations(live.objects, r.snapshot.Objects()), tables: map[config.Kind]int{}}
	for _, o := range r.snapshot.Objects() {
		w.tables[o.Kind]++
	}
	if serving {
		w.pace = process.Serving()
	}
	for _, step := range []func() error{w.addBasic, w.addCertificates, w.addUpstreams, w.addServers} {
		err := step()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			b.discard(w.site, live)
			return nil, err
		}
	}
	return w.site, nil
}

// newSite makes an empty site with room for as much as the live one has.
func newSite(snapshot *config.Snapshot, version uint64, live *site) *site {
	sha := snapshot.Sha().String()
	return &site{
		Site: &proxy.Site{Version: version, Sha: sha, Upstreams: make(map[string]*upstream.Upstream, len(live.upstreams))},
		sha:  sha, objects: snapshot.Objects(), servers: map[string]*server{}, locations: make(map[string]*location, len(live.locations)),
		upstreams: make(map[string]*backends, len(live.upstreams)), plugins: make(map[string]*plugin, len(live.plugins)),
		outlets: map[string]*outlet{}, exporters: map[string]*exporter{}, formats: map[string]*accesslog.Format{}, shared: make([]*shared, 0, len(live.shared)),
	}
}

// discard closes what is in next and not in live. next may be nil, and incomplete.
func (b *builder) discard(next, live *site) {
	if next == nil {
		return
	}
	next.memfd.Close() // nil is fine
	closeUpstreams(next.upstreams, live.upstreams)
	b.owners.release(next.shared)
}

// retire lets what the site uses end with it.
func (b *builder) retire(s *site) { b.owners.whenOver(s.Site, s.shared) }

// close ends everything. Nothing is served any more.
func (b *builder) close(live, prepared *site) {
	for _, s := range []*site{prepared, live} {
		if s != nil {
			closeUpstreams(s.upstreams, nil)
			s.memfd.Close()
		}
	}
	b.owners.buryAll(b.log)
}

// closeUpstreams closes those of a site that are not in the other.
func closeUpstreams(of, but map[string]*backends) {
	for name, u := range of {
		if but[name] == nil || but[name].Upstream != u.Upstream {
			u.Close()
		}
	}
}

// use notes that the site needs something to stay open.
func (w *work) use(s *shared) {
	w.owners.hold(s)
	w.shared = append(w.shared, s)
}

func (w *work) addBasic() error {
	object, _ := w.snapshot.Find(config.KindBasic, "")
	w.basicSha = object.Sha
	if w.live.basic != nil && w.live.basicSha == object.Sha {
		w.basic, w.Trusted, w.ErrorPage = w.live.basic, w.live.Trusted, w.live.ErrorPage
		w.IdleGrace, w.IdleSpread = w.live.IdleGrace, w.live.IdleSpread
		return nil
	}
	var err error
	if w.basic, err = w.snapshot.Basic(); err != nil {
		return refuse(ipc.CodeInvalid, "basic", err)
	}
	if w.Trusted, err = route.NewTrusted(w.basic.TrustedProxies); err != nil {
		return refuse(ipc.CodeInvalid, "basic.trusted_proxies", err)
	}
	w.IdleGrace, w.IdleSpread = w.basic.DrainIdleGrace.Std(), w.basic.DrainSpread.Std()
	w.ErrorPage = errorpage.New(w.basic.ErrorTemplate, w.version)
	return nil
}

func (w *work) addUpstreams() error {
	for _, object := range w.snapshot.Objects() {
		if object.Kind != config.KindUpstream {
			continue
		}
		u, err := w.upstream(object)
		if err != nil {
			return refuse(ipc.CodeInvalid, "upstreams."+object.Name, err)
		}
		w.pace.Step()
		w.upstreams[object.Name] = u
		w.Upstreams[object.Name] = u.Upstream
	}
	return nil
}

func (w *work) upstream(object config.Object) (*backends, error) {
	pool := w.basic.UpstreamKeepalivePoolSize
	if old := w.live.upstreams[object.Name]; old != nil && old.sha == object.Sha && old.pool == pool {
		return old, nil
	}
	cfg, err := w.snapshot.Upstream(object.Name)
	if err != nil {
		return nil, err
	}
	u, err := upstream.New(cfg, upstream.Options{Logger: w.log.Named("upstream"), KeepalivePool: pool, Open: w.openConnections(object.Name)})
	if err != nil {
		return nil, err
	}
	if err := w.endpoints.Attach(u); err != nil { // it was taken before, by this very worker
		w.log.Error("list of backends", zap.Error(err))
	}
	w.made.upstreams++
	return &backends{Upstream: u, sha: object.Sha, pool: pool, book: w.endpoints}, nil
}

// addServers builds the servers that listeners lead to. One that is not in the configuration any more is left out: the
// engine closes its connections.
func (w *work) addServers() error {
	w.Servers = make([]*proxy.Server, len(w.recipe.servers))
	w.sockets = make(accept.Sockets, len(w.recipe.servers))
	for i, name := range w.recipe.servers {
		if i == beatIndex {
			w.Servers[i] = w.beat
			continue
		}
		if _, found := w.snapshot.Find(config.KindServer, name); !found || name == "" {
			continue
		}
		s, err := w.server(name)
		if err != nil {
			return err
		}
		w.Servers[i], w.sockets[i] = s.Server, s.sockets
	}
	return nil
}

// server returns a server, built once however many listeners it has.
func (w *work) server(name string) (*server, error) {
	if s := w.site.servers[name]; s != nil {
		return s, nil
	}
	s, err := w.newServer(name)
	if err != nil {
		return nil, err
	}
	w.site.servers[name] = s
	return s, nil
}

// processing returns the count of a server's requests, which outlives the site.
func (w *work) processing(name string) *atomic.Int64 {
	if old := w.live.servers[name]; old != nil {
		return old.Processing
	}
	return new(atomic.Int64)
}
