package config

import (
	"cmp"
	"fmt"
	"slices"
)

// Document is one source of configuration text, as read from a file or another store.
type Document struct {
	Name string // shown in reports, usually the path of the file
	Data []byte
}

// Options of Load. The zero value checks everything but plugin parameters, built-in
// plugin names and name resolution.
type Options struct {
	// Strict makes unknown keys errors; default they are warnings.
	Strict bool
	// PluginChecker checks one plugin: its category, its step and its parameters (all
	// keys but category, step and remark). nil checks nothing.
	PluginChecker func(name, category, step string, params map[string]any) []PluginProblem
	// PluginUpstreams returns the upstreams that a plugin's parameters name. nil returns none.
	PluginUpstreams func(category string, params map[string]any) []Reference
	// KnownPlugin says whether a plugin name that no table defines exists ("pingap:ping").
	// nil accepts every name that starts with "pingap:".
	KnownPlugin func(name string) Availability
	// ReadFile reads a file that a key names (certificates, keys, CAs), with ~ and relative paths as the caller means them.
	// Where path is a directory it reads the first of names that is in it. nil reads none: such keys are not judged.
	ReadFile func(path string, names []string) (FileRead, error)
	// Admin is the value of --admin; empty for none.
	Admin string
	// NoACME is set where no certificates are requested, whatever the configuration says.
	NoACME bool
	// Resolve looks a host name up. nil resolves nothing at validation.
	Resolve func(host string) error
}

// Availability of a built-in plugin name.
type Availability uint8

const (
	// Unknown names refuse the configuration.
	Unknown Availability = iota
	// Later names are part of Pingap but not built yet: they warn.
	Later
	// Available names are built.
	Available
)

// PluginProblem is one finding of a PluginChecker.
type PluginProblem struct {
	Key     string // parameter; empty for the plugin as a whole, "step" and "category" are allowed
	Message string // what was expected
	Warning bool   // default it refuses the configuration
}

// Reference is the name of another object in a plugin's parameter.
type Reference struct{ Key, Name string }

// maxProblems bounds each list of a report; beyond it only the number is told.
const maxProblems = 1000

// Load reads, checks and normalises a configuration. The documents are taken together:
// tables may be spread over them, the same table in two is an error. With errors in the
// report the Config is nil. Relative paths and "~" stay as written.
func Load(docs []Document, opt Options) (*Config, Report) {
	l := &loader{opt: opt, schema: newSchema(), order: map[string]int{}, warned: map[string]bool{}}
	for kind := range l.entries {
		l.entries[kind] = map[string]*entry{}
	}
	l.parse(docs)
	for kind := range l.entries {
		l.names[kind] = sortedKeys(l.entries[kind])
	}
	l.config = newConfig(l.schema)
	l.config.Locations = make(map[string]*Location, len(l.names[KindLocation]))
	l.config.Upstreams = make(map[string]*Upstream, len(l.names[KindUpstream]))
	l.reserve()
	l.expandIncludes()
	l.decode()
	l.readFiles()
	l.check()
	l.normalise()
	l.addImplied()
	l.addAdmin()
	l.finish()
	if len(l.report.Errors) > 0 {
		return nil, l.report
	}
	return l.config, l.report
}

// loader is the state of one Load.
type loader struct {
	opt     Options
	schema  *schema
	entries [kinds]map[string]*entry
	names   [kinds][]string // of entries, sorted, once all documents are parsed
	config  *Config
	report  Report
	order   map[string]int  // document name -> position
	warned  map[string]bool // kind and key that were warned about
	// broken is set when a document could not be read, so that what it defines is unknown
	// and references are not judged.
	broken      bool
	suggestions int
	fileBytes   int // that files held so far
	moreErrors  int
	moreWarns   int
}

func (l *loader) fail(p Problem) {
	if len(l.report.Errors) >= maxProblems {
		l.moreErrors++
		return
	}
	l.report.Errors = append(l.report.Errors, p)
}

func (l *loader) warn(p Problem) {
	if len(l.report.Warnings) >= maxProblems {
		l.moreWarns++
		return
	}
	l.report.Warnings = append(l.report.Warnings, p)
}

// unknown is a warning, or an error in strict mode.
func (l *loader) unknown(p Problem) {
	if l.opt.Strict {
		l.fail(p)
		return
	}
	l.warn(p)
}

// warnOnce warns about a key at its first use only.
func (l *loader) warnOnce(e *entry, key, message string) {
	id := e.kind.Table() + "." + key
	if !l.warned[id] {
		l.warned[id] = true
		l.warn(e.problem(message, key))
	}
}

// finish orders the findings by document and line.
func (l *loader) finish() {
	for _, list := range [][]Problem{l.report.Errors, l.report.Warnings} {
		slices.SortStableFunc(list, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(l.order[a.File], l.order[b.File]), cmp.Compare(a.Line, b.Line))
		})
	}
	if l.moreErrors > 0 {
		l.report.Errors = append(l.report.Errors, Problem{Message: fmt.Sprintf("and %d more errors", l.moreErrors)})
	}
	if l.moreWarns > 0 {
		l.report.Warnings = append(l.report.Warnings, Problem{Message: fmt.Sprintf("and %d more warnings", l.moreWarns)})
	}
}

// normalise makes objects independent of what they were derived from.
func (l *loader) normalise() {
	for _, u := range l.config.Upstreams {
		if u.MaxIdleConnections == 0 {
			u.MaxIdleConnections = l.config.Basic.UpstreamKeepalivePoolSize
		}
	}
}
