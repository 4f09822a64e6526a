package plugins

import (
	"fmt"
	"regexp"
	"time"

	"pingap/message"
)

// Parameters are the checked values of a plugin's table: every value has the type its Param
// declares and lies within its bounds, and what is absent has its default. An accessor that asks
// for a name or type that Params does not declare panics: that is a bug of the plugin.
type Parameters struct {
	step     Step
	name     string
	env      func(string) (string, bool)
	services *Services
	declared []Param
	values   map[string]any  // typed, by name; absent without a default
	present  map[string]bool // names that the table holds
	complete bool            // every declared parameter could be read
}

func newParameters(declared []Param, env func(string) (string, bool)) *Parameters {
	return &Parameters{declared: declared, env: env, values: map[string]any{}, present: map[string]bool{}}
}

// Step is the request step at which the instance decides. For plugins that act on responses only it is
// what the key "step" says, NoStep if it is absent.
func (p *Parameters) Step() Step { return p.step }

// Has reports whether the table holds a value for name, so that it is not the default.
func (p *Parameters) Has(name string) bool {
	p.param(name)
	return p.present[name]
}

// String returns a text; empty without value and default.
func (p *Parameters) String(name string) string { return value[string](p, name, String) }

// Int returns an integer; 0 without value and default.
func (p *Parameters) Int(name string) int64 { return value[int64](p, name, Int) }

// Float returns a number; 0 without value and default.
func (p *Parameters) Float(name string) float64 { return value[float64](p, name, Float) }

// Bool returns a boolean; false without value and default.
func (p *Parameters) Bool(name string) bool { return value[bool](p, name, Bool) }

// Strings returns a list of texts, the caller's own; nil without value and default.
func (p *Parameters) Strings(name string) []string {
	return append([]string(nil), value[[]string](p, name, Strings)...)
}

// Duration returns a span of time; 0 without value and default.
func (p *Parameters) Duration(name string) time.Duration {
	return value[time.Duration](p, name, Duration)
}

// Size returns a number of bytes; 0 without value and default.
func (p *Parameters) Size(name string) int64 { return value[int64](p, name, Size) }

// Regex returns a compiled expression; nil without value and default.
func (p *Parameters) Regex(name string) *regexp.Regexp {
	return value[*regexp.Regexp](p, name, Regex)
}

// Tables returns what an array of tables holds, each table as checked as the whole; nil without value.
func (p *Parameters) Tables(name string) []*Parameters {
	return value[[]*Parameters](p, name, Tables)
}

// Path returns the normal form of a text that is the path of a request, to be compared with
// Request.NormalPath; empty without value and default.
func (p *Parameters) Path(name string) (string, error) {
	text := p.String(name)
	if text == "" {
		return "", nil
	}
	var r message.Request
	r.SetTarget([]byte(text))
	if text[0] != '/' || r.HasQuery || !message.ValidTarget(r.Target) {
		return "", Errorf(name, "expected a path such as /status, without query and blanks, found %q", clip(text))
	}
	return string(r.NormalPath()), nil
}

// Env looks a variable of the environment up. Plugins read no environment themselves.
func (p *Parameters) Env(name string) (string, bool) {
	if p.env == nil {
		return "", false
	}
	return p.env(name)
}

// Name is that of the table, or of the built-in. State that belongs to the instance, in shared memory say, has a key made of it.
func (p *Parameters) Name() string { return p.name }

// Services are those of the worker; nil in control, where nothing is served: New checks, and starts nothing.
func (p *Parameters) Services() *Services { return p.services }

func (p *Parameters) param(name string) Param {
	for _, d := range p.declared {
		if d.Name == name {
			return d
		}
	}
	panic(fmt.Sprintf("plugins: parameter %q is not declared", name))
}

func value[T any](p *Parameters, name string, want Type) T {
	if d := p.param(name); d.Type != want {
		panic(fmt.Sprintf("plugins: parameter %q is declared with another type", name))
	}
	v, _ := p.values[name].(T)
	return v
}
