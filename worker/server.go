package worker

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/ipc"
	"pingap/telemetry"
	"pingap/worker/accept"
	"pingap/worker/accesslog"
	"pingap/worker/http1"
	"pingap/worker/proxy"
	"pingap/worker/route"
)

// never stands for no limit where the engine wants one.
const never = 100 * 365 * 24 * time.Hour

// server is a server of a site, with what the next site may take over.
type server struct {
	*proxy.Server
	sha     config.Sha
	cfg     *config.Server
	bound   []*location       // in the order of the configuration
	routes  []*route.Location // of these, each once
	plain   locations         // what Locations has, or has with counts
	sockets accept.Options
}

// locations are what a site binds to compiled locations.
type locations = map[*route.Location]*proxy.Location

func (w *work) newServer(name string) (*server, error) {
	path := "servers." + name
	object, _ := w.snapshot.Find(config.KindServer, name)
	old := w.live.servers[name]
	s := &server{sha: object.Sha}
	if old != nil && old.sha == object.Sha {
		s.cfg = old.cfg
	} else {
		old = nil
		var err error
		if s.cfg, err = w.snapshot.Server(name); err != nil {
			return nil, refuse(ipc.CodeInvalid, path, err)
		}
	}
	s.sockets = accept.OptionsOf(s.cfg)
	s.Server = serverOf(s.cfg)
	if old != nil {
		s.takeProtocols(old.Server)
	} else if err := w.addProtocols(s.Server, s.cfg); err != nil {
		return nil, err
	}
	s.Processing = w.processing(name)
	log, err := w.logger(s.cfg, old == nil)
	if err != nil {
		return nil, refuse(ipc.CodeInvalid, path+".access_log", err)
	}
	if log != nil {
		s.Log = log
	}
	if s.Metrics, err = metricsOf(s.cfg); err != nil {
		return nil, refuse(ipc.CodeInvalid, path+".prometheus_metrics_allow", err)
	}
	if s.Tracer, err = w.tracer(s.cfg); err != nil {
		return nil, refuse(ipc.CodeInvalid, path+".otlp_exporter", err)
	}
	if err := w.bindAll(s); err != nil {
		return nil, err
	}
	if err := w.count(s); err != nil {
		return nil, refuse(ipc.CodeResources, path+".prometheus_metrics", err)
	}
	if last := w.live.servers[name]; last != nil && last.RawPath == s.RawPath && slices.Equal(last.routes, s.routes) {
		s.Table = last.Table
		return s, nil
	}
	s.Table = route.NewTable(s.routes, route.Options{RawPath: s.RawPath})
	w.made.tables++
	return s, nil
}

// bindAll finds and binds the locations of a server.
func (w *work) bindAll(s *server) error {
	s.bound = make([]*location, 0, len(s.cfg.Locations))
	for _, name := range s.cfg.Locations {
		l, err := w.location(name)
		if err != nil {
			return err
		}
		s.bound = append(s.bound, l)
	}
	if last := w.live.servers[s.Name]; last != nil && slices.Equal(last.bound, s.bound) {
		s.plain, s.routes = last.plain, last.routes
		return nil
	}
	s.plain = make(locations, len(s.bound))
	s.routes = make([]*route.Location, 0, len(s.bound))
	for _, l := range s.bound {
		w.pace.Step()
		if s.plain[l.Route] == nil {
			s.plain[l.Route] = l.Location
			s.routes = append(s.routes, l.Route)
		}
	}
	return nil
}

func serverOf(cfg *config.Server) *proxy.Server {
	s := &proxy.Server{
		Name: cfg.Name, RawPath: cfg.PathMatching == "raw", ServerTiming: cfg.EnableServerTiming,
		Limits:        http1.Limits{Head: int(cfg.HeaderMaxSize), Fields: cfg.HeaderMaxFields, Target: int(cfg.TargetMaxLength)},
		HeaderTimeout: cfg.HeaderTimeout.Std(), KeepAliveTimeout: cfg.KeepaliveTimeout.Std(),
		ReadTimeout: orNever(cfg.DownstreamReadTimeout), WriteTimeout: orNever(cfg.DownstreamWriteTimeout),
		KeepAliveRequests: uint64(cfg.KeepaliveRequests),
	}
	if s.KeepAliveTimeout == 0 { // closes after each response; the first request has the time of its head
		s.KeepAliveRequests, s.KeepAliveTimeout = 1, s.HeaderTimeout
	}
	return s
}

func orNever(d config.Duration) time.Duration {
	if d <= 0 {
		return never
	}
	return d.Std()
}

// logger returns the access log of a server, nil for none. What is odd about it is told once, when the server is new.
func (w *work) logger(cfg *config.Server, tell bool) (*logger, error) {
	directive, warnings := accesslog.Parse(cfg.AccessLog)
	if directive.Format == "" || w.still {
		return nil, nil
	}
	out, err := w.outlet(directive.Target)
	if err != nil {
		return nil, err
	}
	hidden := accesslog.NewHidden(w.basic.LogRedactHeaders, w.basic.LogRedactQuery)
	key := directive.Format + hidden.Key()
	format := w.live.formats[key]
	if format == nil {
		var more []string
		format, more = accesslog.CompileHiding(directive.Format, w.env, hidden)
		warnings = append(warnings, more...)
	}
	w.formats[key] = format
	for _, text := range warnings {
		if tell {
			w.log.Warn("access log", zap.String("server", cfg.Name), zap.String("warning", text))
		}
	}
	choice, err := accesslog.NewChoice(cfg.AccessLogStatus, cfg.AccessLogMinTime.Std(), cfg.AccessLogSample)
	if err != nil {
		return nil, err
	}
	return &logger{format: format, choice: choice, out: out.out, buffer: &w.logs.buffer}, nil
}

// outlet returns the writer to a target.
func (w *work) outlet(target telemetry.Target) (*outlet, error) {
	key := targetKey(target)
	if l := w.outlets[key]; l != nil {
		return l, nil
	}
	l := w.live.outlets[key]
	if l == nil {
		var err error
		if l, err = w.logs.writer(target); err != nil {
			return nil, err
		}
		w.made.writers++
	}
	w.use(&l.shared)
	w.outlets[key] = l
	return l, nil
}
