package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"

	"pingap/arena"
	"pingap/config"
	"pingap/control/endpoints"
	"pingap/ipc"
)

// Limits of pages.
const (
	maxPages = 2                // made at once for those who ask; whoever comes then waits
	pageTime = 20 * time.Second // to begin a page and to make it
)

// Certificate is one whose end is shown.
type Certificate struct {
	Name     string
	NotAfter time.Time
}

// Events are what became of those that are told to a webhook, since control started.
type Events struct {
	Waiting                        int
	Sent, Retried, Failed, Dropped uint64
}

// Exporter makes pages. Its methods may be called by any goroutine.
type Exporter struct {
	// Arena is read; nil shows no totals.
	Arena *arena.Arena
	// Status asks the supervisor; nil where it did not answer. Upstreams and Certificates are what control knows.
	Status       func(context.Context) *ipc.StatusAll
	Upstreams    func() []endpoints.Upstream
	Certificates func() []Certificate
	Events       func() Events // nil shows none
	// Version is that of this build.
	Version string
	Log     *zap.Logger

	view  atomic.Pointer[view]
	pages chan struct{}
}

// view is what of the live configuration names metrics.
type view struct {
	servers   map[string]*server
	upstreams []string
}

type server struct {
	name      string
	shown     bool // has a path
	locations []string
}

var errNoServer = errors.New("there is no such server with metrics")

// Init makes it usable.
func (e *Exporter) Init() {
	e.pages = make(chan struct{}, maxPages)
	e.view.Store(&view{})
}

// SetConfig makes a configuration the one that names metrics, and returns where they are to be pushed, by server.
func (e *Exporter) SetConfig(s *config.Snapshot) (map[string]*config.Push, error) {
	v := &view{servers: map[string]*server{}}
	pushes := map[string]*config.Push{}
	for _, o := range s.Objects() {
		switch o.Kind {
		case config.KindUpstream:
			v.upstreams = append(v.upstreams, o.Name)
		case config.KindServer:
			cfg, err := s.Server(o.Name)
			if err != nil {
				return nil, fmt.Errorf("metrics: %w", err)
			}
			if cfg.PrometheusMetrics == "" {
				continue
			}
			_, shown := cfg.MetricsPath()
			v.servers[o.Name] = &server{name: o.Name, shown: shown, locations: once(cfg.Locations)}
			if push, err := cfg.MetricsPush(); err == nil && push != nil { // the check of the configuration has refused others
				pushes[o.Name] = push
			}
		}
	}
	e.view.Store(v)
	return pushes, nil
}

// once are the names of a list, each once: a label may not occur twice.
func once(list []string) []string {
	var out []string
	known := map[string]bool{}
	for _, name := range list {
		if !known[name] {
			known[name] = true
			out = append(out, name)
		}
	}
	return out
}

// Gather makes the page of a server: its families by name.
func (e *Exporter) Gather(ctx context.Context, name string) ([]*dto.MetricFamily, error) {
	s := e.view.Load().servers[name]
	if s == nil {
		return nil, errNoServer
	}
	p := newPage(name)
	if e.Arena != nil {
		e.totals(p, s)
		e.currents(p, s)
	}
	e.backends(p)
	e.instance(p, e.Status(ctx))
	return p.list(), nil
}

// ServeHTTP shows the page of the server that the path names: as text, OpenMetrics or protobuf, as Accept wants.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := e.view.Load().servers[r.URL.Path]
	if s == nil || !s.shown {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	made := made{header: w.Header(), status: http.StatusOK}
	made.header.Set("Cache-Control", "private, no-store")
	err := e.inTurn(ctx, func() {
		gather := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return e.Gather(ctx, s.name) })
		promhttp.HandlerFor(gather, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorLog: failures{e.Log}}).ServeHTTP(&made, r)
	})
	if err != nil {
		made.header.Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(made.status)
	_, _ = w.Write(made.body.Bytes()) // who has left does not want it
}

// inTurn runs f, which makes a page, beside at most one other. A page is whole before its first byte is sent: a client that reads slowly has
// its own, and nobody waits for it.
func (e *Exporter) inTurn(ctx context.Context, f func()) error {
	select {
	case e.pages <- struct{}{}:
		defer func() { <-e.pages }()
	case <-ctx.Done():
		return fmt.Errorf("metrics: %w", ctx.Err())
	}
	f()
	return nil
}

// made is a page in memory. It is an http.ResponseWriter.
type made struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is that of the answer itself.
func (m *made) Header() http.Header { return m.header }

// WriteHeader keeps the status.
func (m *made) WriteHeader(status int) { m.status = status }

// Write keeps a part.
func (m *made) Write(p []byte) (int, error) { return m.body.Write(p) }

// failures are told to the log.
type failures struct{ log *zap.Logger }

// Println logs why a page was not made.
func (f failures) Println(v ...any) {
	f.log.Warn("page of metrics", zap.String("problem", fmt.Sprint(v...)))
}
