package plugins

import (
	"errors"
	"fmt"
	"slices"

	"pingap/config"
)

// ErrLater is why a plugin of a category that is known but not built yet, or not there for now, cannot be built. Whoever builds
// a location leaves such a plugin out; Check has warned about it.
var ErrLater = errors.New("not built yet")

// Registry makes instances of the plugins in a list of factories. It is read-only after NewRegistry and may be used
// by several goroutines.
type Registry struct {
	factories map[string]*Factory
	builtins  map[string]*config.Plugin
	env       func(string) (string, bool)
	services  *Services
}

// WithServices returns the registry as it is in a worker, where instances serve.
func (r *Registry) WithServices(s *Services) *Registry {
	lent := *r
	lent.services = s
	return &lent
}

// NewRegistry makes a registry of a list. env looks variables of the environment up for values that
// name one; nil finds none. A list with a defect is a bug and panics.
func NewRegistry(list []Factory, env func(string) (string, bool)) *Registry {
	r := &Registry{factories: map[string]*Factory{}, builtins: map[string]*config.Plugin{}, env: env}
	for i := range list {
		f := &list[i]
		if defect := f.defect(); defect != "" {
			panic(fmt.Sprintf("plugins: category %q: %s", f.Category, defect))
		}
		if r.factories[f.Category] != nil {
			panic(fmt.Sprintf("plugins: category %q is in the list twice", f.Category))
		}
		r.factories[f.Category] = f
	}
	for _, b := range builtins() {
		r.builtins[b.Name] = b
	}
	return r
}

// defect says what is wrong with a declaration; empty if nothing is.
func (f *Factory) defect() string {
	if f.Category == "" || f.Summary == "" || f.New == nil {
		return "needs Category, Summary and New"
	}
	return defectOf(f.Params, "category", "step", "remark")
}

// defectOf says what is wrong with the declaration of parameters, whose names may not be among those that are taken.
func defectOf(params []Param, taken ...string) string {
	for i := range params {
		p := &params[i]
		if p.Name == "" || p.Help == "" {
			return "a parameter needs Name and Help"
		}
		if slices.Contains(taken, p.Name) {
			return fmt.Sprintf("parameter %q is taken", p.Name)
		}
		if (p.Type == Tables) != (len(p.Table) > 0) {
			return fmt.Sprintf("parameter %q needs the type Tables and a Table, or none of them", p.Name)
		}
		if defect := defectOf(p.Table); defect != "" {
			return fmt.Sprintf("parameter %q: %s", p.Name, defect)
		}
		if p.Required && p.Default != nil {
			return fmt.Sprintf("parameter %q is required and has a default", p.Name)
		}
		if p.Default != nil {
			if _, problem := p.read(p.Default); problem != "" {
				return fmt.Sprintf("default of parameter %q: %s", p.Name, problem)
			}
		}
		taken = append(taken, p.Name)
	}
	return ""
}

// Check finds everything that is wrong with a plugin's table. What New finds is among it if it could be asked: when
// every parameter has its type.
func (r *Registry) Check(category, step string, params map[string]any) []Problem {
	instance, problems := r.build(&config.Plugin{Category: category, Step: step, Params: params})
	if instance != nil {
		problems = append(problems, instance.warnings...)
		if err := instance.Close(); err != nil {
			problems = append(problems, Problem{Message: err.Error()})
		}
	}
	return problems
}

// Build makes an instance. The error is ErrLater (by errors.Is) for a category not built yet; any other
// names every key at fault.
func (r *Registry) Build(cfg *config.Plugin) (*Instance, error) {
	instance, problems := r.build(cfg)
	if err := refusal(problems); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", cfg.Name, err)
	}
	if instance == nil {
		return nil, fmt.Errorf("plugin %s: category %q: %w", cfg.Name, cfg.Category, ErrLater)
	}
	return instance, nil
}

// build returns an instance, or the problems that prevent it. With a category not built yet it returns no instance and a
// warning.
func (r *Registry) build(cfg *config.Plugin) (*Instance, []Problem) {
	f, problem := r.factory(cfg.Category)
	if f == nil {
		return nil, []Problem{problem}
	}
	params, shadow := f.shadow(cfg.Params)
	p, problems := f.read(cfg.Step, params, r.env)
	if !p.complete {
		return nil, problems
	}
	p.name, p.services = cfg.Name, r.services
	plugin, err := f.New(p)
	if err != nil {
		return nil, append(problems, problemsOf(err)...)
	}
	instance := newInstance(cfg.Name, f, p.step, plugin)
	instance.Shadow = shadow
	if wrong := instance.mismatch(); wrong != "" {
		problems = append(problems, Problem{Key: "step", Message: wrong})
	}
	if len(problems) > 0 {
		return nil, append(problems, problemsOfClose(instance.Close())...)
	}
	return instance, nil
}

func problemsOfClose(err error) []Problem {
	if err == nil {
		return nil
	}
	return problemsOf(err)
}

// factory returns the factory of a category, or nil and the reason.
func (r *Registry) factory(category string) (*Factory, Problem) {
	if f := r.factories[category]; f != nil {
		return f, Problem{}
	}
	known := categories()
	if slices.Contains(known, category) {
		return nil, Problem{Key: "category", Warning: true,
			Message: fmt.Sprintf("%q comes later: requests pass without this plugin", category)}
	}
	if category == "" {
		return nil, Problem{Key: "category", Message: "is required: the kind of plugin"}
	}
	for name := range r.factories {
		known = append(known, name)
	}
	slices.Sort(known)
	return nil, Problem{Key: "category",
		Message: fmt.Sprintf("there is no category %q%s", clip(category), suggestion(category, known))}
}

// Builtin returns the definition of a built-in instance ("pingap:ping"), whether there is one of that name, and whether its
// category is built.
func (r *Registry) Builtin(name string) (cfg *config.Plugin, known, built bool) {
	cfg, known = r.builtins[name]
	if !known {
		return nil, false, false
	}
	return cfg, true, r.factories[cfg.Category] != nil
}

// Find returns the definition that a location means by name: the built-in, else the table; nil if there is neither.
func (r *Registry) Find(tables map[string]*config.Plugin, name string) *config.Plugin {
	if cfg, known := r.builtins[name]; known {
		return cfg
	}
	return tables[name]
}

// ConfigChecker returns the function by which config.Load checks the tables of plugins.
func (r *Registry) ConfigChecker() func(name, category, step string, params map[string]any) []config.PluginProblem {
	return func(name, category, step string, params map[string]any) []config.PluginProblem {
		var found []config.PluginProblem
		if _, builtin := r.builtins[name]; builtin {
			found = append(found, config.PluginProblem{Warning: true,
				Message: "has the name of a built-in, which is used in its place; rename this one to use it"})
		}
		for _, p := range r.Check(category, step, params) {
			found = append(found, config.PluginProblem(p))
		}
		return found
	}
}

// Upstreams returns the upstreams that a plugin's table names, for config.Load to look for.
func (r *Registry) Upstreams(category string, params map[string]any) []config.Reference {
	f := r.factories[category]
	if f == nil {
		return nil
	}
	var all []config.Reference
	for i := range f.Params {
		if name, ok := params[f.Params[i].Name].(string); ok && f.Params[i].Upstream {
			all = append(all, config.Reference{Key: f.Params[i].Name, Name: name})
		}
	}
	return all
}

// KnownPlugin tells config.Load whether a name that no table defines is a built-in.
func (r *Registry) KnownPlugin(name string) config.Availability {
	_, known, built := r.Builtin(name)
	switch {
	case built:
		return config.Available
	case known:
		return config.Later
	}
	return config.Unknown
}
