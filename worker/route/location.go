package route

import (
	"fmt"

	"pingap/config"
	"pingap/message"
)

// Location is a compiled location. It is immutable.
type Location struct {
	// Name is the location's name in the configuration.
	Name string
	// Config is what it was compiled from; read-only.
	Config *config.Location
	// Weight orders locations, highest first; computed where the configuration gives none.
	Weight int
	// UpstreamVar is the captured variable that holds the upstream's name ("$name" without the
	// dollar); empty when Config.Upstream is the name itself.
	UpstreamVar string

	path       pathRule
	hosts      []hostRule // none is any host
	conditions conditions
	rewrite    *rewriteRule // nil without rewrite
	headers    headerRules
}

// Compile compiles a location: its expressions, conditions, rewriting and header values. env looks
// up environment variables for header values; it may be nil.
func Compile(cfg *config.Location, env func(string) (string, bool)) (*Location, error) {
	l := &Location{Name: cfg.Name, Config: cfg, Weight: cfg.EffectiveWeight()}
	if len(cfg.Upstream) > 1 && cfg.Upstream[0] == '$' {
		l.UpstreamVar = cfg.Upstream[1:]
	}
	var err error
	if l.path, err = compilePath(cfg.Path); err != nil {
		return nil, fmt.Errorf("location %q: path: %w", cfg.Name, err)
	}
	if l.hosts, err = compileHosts(cfg.Hosts()); err != nil {
		return nil, fmt.Errorf("location %q: host: %w", cfg.Name, err)
	}
	if l.conditions, err = compileConditions(cfg); err != nil {
		return nil, fmt.Errorf("location %q: %w", cfg.Name, err)
	}
	if l.rewrite, err = compileRewrite(cfg.Rewrite); err != nil {
		return nil, fmt.Errorf("location %q: rewrite: %w", cfg.Name, err)
	}
	if l.headers, err = compileHeaders(cfg, env); err != nil {
		return nil, fmt.Errorf("location %q: %w", cfg.Name, err)
	}
	return l, nil
}

// Rewrite replaces the path by the location's rewrite rule, and reports whether it changed. raw
// tells that the server matches raw paths (Options.RawPath): then the expression sees the path as
// received, else its normal form, so that no spelling of a path evades the rule. Named groups of
// the expression become captures.
func (l *Location) Rewrite(rec *message.Record, raw bool) bool {
	if l.rewrite == nil {
		return false
	}
	return l.rewrite.apply(rec, raw)
}

// RequestHeaders changes the fields that go to the upstream: the five reverse proxy fields if
// enabled, then those to set, then those to add, in the order of the configuration. Values are
// taken from rec. Host may be among them.
func (l *Location) RequestHeaders(rec *message.Record, fields *message.Fields) {
	l.headers.apply(rec, fields)
}
