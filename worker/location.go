package worker

import (
	"errors"
	"fmt"

	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/worker/mirror"
	"pingap/worker/proxy"
	"pingap/worker/route"
)

// location is a location of a site: its compiled part, which is taken over by hash, and what binds it to upstream and plugins.
// Where these are the same as in the live site the whole is taken over.
type location struct {
	*proxy.Location
}

// location returns a location, built once however many servers have it.
func (w *work) location(name string) (*location, error) {
	if l := w.locations[name]; l != nil {
		return l, nil
	}
	l, err := w.newLocation(name)
	if err != nil {
		return nil, refuse(ipc.CodeInvalid, "locations."+name, err)
	}
	w.pace.Step()
	w.locations[name] = l
	return l, nil
}

func (w *work) newLocation(name string) (*location, error) {
	old := w.live.locations[name]
	if w.touched[name] {
		old = nil
	}
	if old != nil {
		if same, err := w.stillBound(old); err != nil || same {
			return old, err
		}
	}
	w.made.bindings++
	compiled, err := w.route(name, old)
	if err != nil {
		return nil, err
	}
	cfg := compiled.Config
	l := &proxy.Location{
		Route: compiled, MaxBody: int64(cfg.ClientMaxBodySize), MaxProcessing: int64(cfg.MaxProcessing),
		MaxRetries: cfg.MaxRetries, RetryWindow: cfg.MaxRetryWindow.Std(), GRPCWeb: cfg.GRPCWeb, TunnelIdle: orNever(cfg.TunnelIdleTimeout),
		DrainTimeout:   cfg.DrainTimeout.Std(),
		Untraced:       !cfg.Tracing,
		ChangesHeaders: cfg.EnableReverseProxyHeaders || len(cfg.ProxySetHeaders)+len(cfg.ProxyAddHeaders) > 0,
	}
	if cfg.Upstream != "" && compiled.UpstreamVar == "" {
		if l.Upstream = w.Upstreams[cfg.Upstream]; l.Upstream == nil {
			return nil, fmt.Errorf("upstream %q is not defined", cfg.Upstream)
		}
	}
	if l.Mirror, err = w.mirror(cfg); err != nil {
		return nil, err
	}
	if l.Plugins, err = w.chain(cfg); err != nil {
		return nil, err
	}
	if l.MaxProcessing > 0 && !w.still {
		counter, err := w.arena.Counter("location/" + name + "/processing")
		if err != nil {
			return nil, fmt.Errorf("max_processing: %w", err)
		}
		l.Slots = counter
	}
	return &location{l}, nil
}

// mirror says where copies of a location's requests go; nil for nowhere.
func (w *work) mirror(cfg *config.Location) (*mirror.Target, error) {
	if cfg.Mirror == "" || cfg.MirrorPercent == 0 {
		return nil, nil
	}
	u := w.Upstreams[cfg.Mirror]
	if u == nil {
		return nil, fmt.Errorf("mirror: upstream %q is not defined", cfg.Mirror)
	}
	return &mirror.Target{Upstream: u, Percent: cfg.MirrorPercent, MaxBody: int64(cfg.MirrorMaxBody)}, nil
}

// stillBound says whether what a location of the live site refers to is the same in this one.
func (w *work) stillBound(old *location) (bool, error) {
	cfg := old.Route.Config
	if old.Upstream != nil && w.Upstreams[cfg.Upstream] != old.Upstream || old.Mirror != nil && w.Upstreams[cfg.Mirror] != old.Mirror.Upstream {
		return false, nil
	}
	same := true
	for _, name := range cfg.Plugins {
		p, err := w.plugin(name)
		switch {
		case errors.Is(err, plugins.ErrLater):
		case err != nil:
			return false, err
		case w.live.plugins[name] != p:
			same = false
		}
	}
	return same, nil
}

// route compiles a location unless old, of the live site, is the same.
func (w *work) route(name string, old *location) (*route.Location, error) {
	if old != nil {
		return old.Route, nil
	}
	cfg, err := w.snapshot.Location(name)
	if err != nil {
		return nil, err
	}
	w.made.locations++
	return route.Compile(cfg, w.env)
}

// chain returns the plugins of a location; nil for none.
func (w *work) chain(cfg *config.Location) (*plugins.Chain, error) {
	var list []*plugins.Instance
	for _, name := range cfg.Plugins {
		p, err := w.plugin(name)
		if errors.Is(err, plugins.ErrLater) {
			continue // the check of the configuration has warned
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p.Instance)
	}
	return plugins.NewChain(list), nil
}

// plugin returns an instance, built once however many locations have it.
func (w *work) plugin(name string) (*plugin, error) {
	if p := w.plugins[name]; p != nil {
		return p, nil
	}
	sha, cfg, err := w.definition(name)
	if err != nil {
		return nil, err
	}
	p := w.live.plugins[name]
	if p == nil || p.sha != sha {
		if p, err = w.newPlugin(name, sha, cfg); err != nil {
			return nil, err
		}
	}
	w.use(&p.shared)
	w.plugins[name] = p
	return p, nil
}

// definition finds what a plugin is built from. A built-in has no hash: it never changes. cfg is nil where
// the snapshot has the definition, which is decoded only when needed.
func (w *work) definition(name string) (sha config.Sha, cfg *config.Plugin, err error) {
	cfg, known, built := w.registry.Builtin(name)
	switch {
	case built:
		return config.Sha{}, cfg, nil
	case known:
		return config.Sha{}, nil, plugins.ErrLater
	}
	object, found := w.snapshot.Find(config.KindPlugin, name)
	if !found && name == config.AdminName {
		return config.Sha{}, nil, plugins.ErrLater // without --admin; the check of the configuration has warned
	}
	if !found {
		return config.Sha{}, nil, fmt.Errorf("plugin %q: %w", name, config.ErrNoObject)
	}
	return object.Sha, nil, nil
}

func (w *work) newPlugin(name string, sha config.Sha, cfg *config.Plugin) (*plugin, error) {
	if cfg == nil {
		var err error
		if cfg, err = w.snapshot.Plugin(name); err != nil {
			return nil, err
		}
	}
	instance, err := w.registry.Build(cfg)
	if err != nil {
		return nil, err
	}
	w.made.plugins++
	return &plugin{Instance: instance, sha: sha, shared: shared{name: "plugin " + name, close: instance.Close}}, nil
}
