package config

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
	// KnownPlugin says whether a plugin name that no table defines exists ("pingap:ping").
	// nil accepts every name that starts with "pingap:".
	KnownPlugin func(name string) Availability
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
