package control

import (
	"context"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/admin/auth"
	"pingap/control/endpoints"
	"pingap/control/inventory"
	"pingap/control/metrics"
	"pingap/control/recent"
	"pingap/control/tail"
	"pingap/control/web"
	"pingap/ipc"
)

// pageStatusTime is the longest that a page of metrics waits for the supervisor and for control's own loop: those who scrape have limits of
// their own, and the rest is worth a page.
const pageStatusTime = 2 * time.Second

// Requests of workers at once. The admin interface has limits of its own below this one.
const (
	maxPages   = 16 // of metrics
	maxSenders = 32 // of lines that somebody watches; a worker sends one after the other
	maxAdmin   = 96
)

// shown is what others see of this instance: pages that workers pass requests on to, and metrics that are pushed.
type shown struct {
	mu       sync.Mutex // guards open
	open     bool
	exporter metrics.Exporter
	pusher   metrics.Pusher
	recent   recent.Sampler
	tail     tail.Hub

	turn         atomic.Uint64           // of the configuration that was made live last
	certificates []inventory.Certificate // of the live configuration; guarded by mu
}

// makeShown prepares it. Nothing runs yet.
func (p *process) makeShown() {
	p.shown.exporter = metrics.Exporter{
		Arena: p.arena, Version: p.opt.Version, Log: p.log.Named("metrics"), Status: p.statusForMetrics, Certificates: p.expiries,
		Upstreams: func() []endpoints.Upstream {
			list, _ := p.backends.List("") // all of them are no mistake
			return list.Upstreams
		},
		Events: func() metrics.Events {
			s := p.telling.bus.Stats()
			return metrics.Events{Waiting: s.Waiting, Sent: s.Sent, Retried: s.Retried, Failed: s.Failed, Dropped: s.Dropped}
		},
	}
	p.shown.exporter.Init()
	p.shown.recent = recent.Sampler{Arena: p.arena, Status: p.statusForMetrics, Upstreams: p.shown.exporter.Upstreams}
	p.shown.recent.Init()
	p.shown.tail = tail.Hub{Log: p.log.Named("tail"), Tell: teller{p}.Publish}
	p.shown.pusher = metrics.Pusher{Exporter: &p.shown.exporter, Log: p.log.Named("metrics")}
}

// offerWeb opens the HTTP server once a configuration wants it, and tells all workers, before they get the configuration. It stays as long as
// control lives: a socket that nobody comes to costs nothing.
func (p *process) offerWeb(ctx context.Context, s *config.Snapshot) {
	if wantsWeb(s) {
		p.openWeb(ctx)
	}
}

// openWeb opens it unless it is open, and returns when workers know.
func (p *process) openWeb(ctx context.Context) {
	p.shown.mu.Lock()
	defer p.shown.mu.Unlock()
	if p.shown.open {
		return
	}
	server := &web.Server{Log: p.log.Named("web"), Peer: p.mayCome}
	if err := server.Open(); err != nil {
		p.log.Error("metrics and the admin interface are not shown", zap.Error(err))
		return
	}
	server.Mount(ipc.WebMetrics, maxPages, http.StripPrefix(ipc.WebMetrics, &p.shown.exporter))
	server.Mount(ipc.WebAdmin, maxAdmin, p.ways.passed())
	server.Mount(ipc.WebTail, maxSenders, &p.shown.tail)
	p.shown.open = true
	p.wg.Go(func() { server.Run(ctx) })
	if err := (teller{p}).Publish(ctx, []ipc.StateItem{server.Item()}); err != nil {
		p.log.Error("workers do not know where control answers", zap.Error(err))
	}
}

// mayCome says whether a process of a user may be a worker: it runs as this one does, as root, or as workers do where this one is root still.
func (p *process) mayCome(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	as := p.runAs.credential()
	return as != nil && uid == as.Uid
}

func wantsWeb(s *config.Snapshot) bool {
	for _, o := range s.Objects() {
		if o.Kind == config.KindPlugin {
			if plugin, err := s.Plugin(o.Name); err == nil && plugin.Category == auth.Category {
				return true
			}
		}
		if o.Kind != config.KindServer {
			continue
		}
		if server, err := s.Server(o.Name); err == nil {
			if _, ok := server.MetricsPath(); ok {
				return true
			}
		}
	}
	return false
}

// show makes what is live the configuration that names metrics. It reads the snapshot in a goroutine of its own.
func (p *process) show(ctx context.Context) {
	if p.live.snapshot == nil {
		return
	}
	turn := p.shown.turn.Add(1)
	file, err := duplicate(p.live.snapshot)
	if err != nil {
		p.log.Error("metrics stay those of the configuration before", zap.Error(err))
		return
	}
	p.wg.Go(func() { // ends when the snapshot has been read
		defer file.Close()
		_, s, err := readSnapshot(file)
		if err != nil {
			p.log.Error("metrics stay those of the configuration before", zap.Error(err))
			return
		}
		p.shown.take(ctx, p, s, turn)
	})
}

// take makes s the configuration that names metrics, unless a newer one is on its way.
func (v *shown) take(ctx context.Context, p *process, s *config.Snapshot, turn uint64) {
	list, err := inventory.Of(s)
	if err != nil {
		p.log.Warn("ends of certificates", zap.Error(err))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if turn != v.turn.Load() {
		return
	}
	p.ways.guard(s)
	pushes, err := v.exporter.SetConfig(s)
	if err != nil {
		p.log.Error("metrics stay those of the configuration before", zap.Error(err))
		return
	}
	if err := v.recent.SetConfig(s); err != nil {
		p.log.Error("live figures stay those of the configuration before", zap.Error(err))
	}
	v.certificates = list
	v.pusher.Set(ctx, p.wg, pushes)
}

// statusForMetrics is the supervisor's status; nil if it does not answer.
func (p *process) statusForMetrics(ctx context.Context) *ipc.StatusAll {
	ctx, cancel := context.WithTimeout(ctx, pageStatusTime)
	defer cancel()
	c := client{p: p}
	all, ok := c.relay(ctx, ipc.StatusRequest{}, pageStatusTime).(*ipc.StatusAll)
	if !ok {
		return nil
	}
	for i := range all.Processes {
		addMemory(&all.Processes[i])
	}
	own := make(chan ipc.Source, 1)
	p.post(ctx, func(context.Context) { own <- ipc.Source{Refused: p.lastLoad.err} })
	select {
	case s := <-own:
		all.Source = &s
	case <-ctx.Done():
	}
	return all
}

// expiries are when certificates end: those of the configuration, and those that came from a CA.
func (p *process) expiries() []metrics.Certificate {
	p.shown.mu.Lock()
	list := slices.Clone(p.shown.certificates)
	p.shown.mu.Unlock()
	states, _ := p.issuing.list() // without any, there are those of files
	var all []metrics.Certificate
	for i := range list {
		if addState(&list[i], states); !list[i].NotAfter.IsZero() {
			all = append(all, metrics.Certificate{Name: list[i].Name, NotAfter: list[i].NotAfter})
		}
	}
	return all
}
