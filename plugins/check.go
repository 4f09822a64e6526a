package plugins

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"pingap/config"
)

// read checks a table against the declarations of f: all problems at once, and what could be read.
func (f *Factory) read(step string, raw map[string]any, env func(string) (string, bool)) (*Parameters, []Problem) {
	p := newParameters(f.Params, env)
	var problems []Problem
	var wrong string
	if p.step, wrong = f.readStep(step); wrong != "" {
		problems = append(problems, Problem{Key: "step", Message: wrong})
	}
	problems = append(problems, f.unknownKeys(raw)...)
	unread := p.fill(raw)
	p.complete = len(unread) == 0
	return p, append(problems, unread...)
}

// fill reads what is declared, and says what could not be read.
func (p *Parameters) fill(raw map[string]any) []Problem {
	var problems []Problem
	for i := range p.declared {
		param := &p.declared[i]
		given, ok := raw[param.Name]
		if !ok || given == "" { // an empty text counts as absent
			if problem := p.fallBack(param); problem != "" {
				problems = append(problems, Problem{Key: param.Name, Message: problem})
			}
			continue
		}
		v, wrong := p.readOne(param, given)
		if len(wrong) > 0 {
			problems = append(problems, wrong...)
			continue
		}
		p.values[param.Name], p.present[param.Name] = v, true
	}
	return problems
}

// readOne reads what a table gives for a parameter.
func (p *Parameters) readOne(param *Param, given any) (any, []Problem) {
	if param.Type == Tables {
		return p.readTables(param, given)
	}
	if param.Secret {
		var problem string
		if given, problem = fromEnvironment(given, p.env); problem != "" {
			return nil, []Problem{{Key: param.Name, Message: problem}}
		}
	}
	v, problem := param.read(given)
	if problem != "" {
		return nil, []Problem{{Key: param.Name, Message: problem}}
	}
	return v, nil
}

// modeKey is the parameter by which every plugin can be watched; some have other modes of their own.
const (
	modeKey    = "mode"
	modeShadow = "shadow"
)

// shadow returns the parameters without mode = "shadow", and whether that was there.
func (f *Factory) shadow(raw map[string]any) (map[string]any, bool) {
	if raw[modeKey] != modeShadow {
		return raw, false
	}
	raw = maps.Clone(raw)
	delete(raw, modeKey)
	return raw, true
}

// fallBack takes the default of a parameter that is absent.
func (p *Parameters) fallBack(param *Param) (problem string) {
	if param.Required {
		return "is required: " + param.Help
	}
	if param.Default == nil {
		return ""
	}
	v, problem := param.read(param.Default)
	if problem != "" {
		panic(fmt.Sprintf("plugins: default of parameter %q: %s", param.Name, problem))
	}
	p.values[param.Name] = v
	return ""
}

func (f *Factory) unknownKeys(raw map[string]any) []Problem {
	var names []string
	for _, p := range f.Params {
		names = append(names, p.Name)
	}
	var problems []Problem
	for key := range raw {
		if !slices.Contains(names, key) {
			if key == modeKey {
				problems = append(problems, Problem{Key: key, Message: "expected shadow, or no mode"})
				continue
			}
			known := append([]string{"category", "step", "remark", modeKey}, names...)
			problems = append(problems, Problem{Key: key,
				Message: fmt.Sprintf("%s has no such parameter%s", f.Category, suggestion(key, known))})
		}
	}
	sort.Slice(problems, func(i, j int) bool { return problems[i].Key < problems[j].Key })
	return problems
}

// readStep returns the step of an instance. Whether a plugin that acts on responses only has the step named is
// known when it is built (see mismatch).
func (f *Factory) readStep(text string) (Step, string) {
	allowed := f.Steps
	if len(allowed) == 0 {
		if text == "" {
			return NoStep, ""
		}
		allowed = []Step{UpstreamResponse, Response}
	}
	if text == "" {
		return allowed[0], ""
	}
	step, _ := ParseStep(text)
	if !slices.Contains(allowed, step) {
		return NoStep, fmt.Sprintf("%s has no step %q, expected %s", f.Category, clip(text), stepList(allowed))
	}
	return step, ""
}

func stepList(steps []Step) string {
	var names []string
	for _, s := range steps {
		names = append(names, s.String())
	}
	return strings.Join(names, " or ")
}

// read checks one value and returns it as the accessors give it out, or says what was expected.
func (p *Param) read(raw any) (v any, problem string) {
	switch p.Type {
	case Int:
		return p.readInt(raw)
	case Float:
		switch n := raw.(type) {
		case float64:
			return n, ""
		case int64:
			return float64(n), ""
		}
		return nil, expected("a number", raw)
	case Bool:
		if b, ok := raw.(bool); ok {
			return b, ""
		}
		return nil, expected("true or false", raw)
	case Strings:
		return p.readStrings(raw)
	case Size:
		if n, ok := raw.(int64); ok {
			if n < 0 {
				return nil, "expected a number of bytes, not below 0"
			}
			return n, ""
		}
	}
	text, ok := raw.(string)
	if !ok {
		return nil, expected(p.Type.words(), raw)
	}
	return p.readText(text)
}

func (p *Param) readInt(raw any) (any, string) {
	n, ok := raw.(int64)
	if !ok {
		return nil, expected("an integer", raw)
	}
	if (p.Min != 0 || p.Max != 0) && (n < p.Min || n > p.Max) {
		return nil, fmt.Sprintf("expected %d to %d, found %d", p.Min, p.Max, n)
	}
	return n, ""
}

func (p *Param) readStrings(raw any) (any, string) {
	if list, ok := raw.([]string); ok {
		return list, ""
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, expected("a list of texts", raw)
	}
	texts := make([]string, len(list))
	for i, each := range list {
		if texts[i], ok = each.(string); !ok {
			return nil, fmt.Sprintf("entry %d: %s", i+1, expected("text", each))
		}
	}
	if p.Required && len(texts) == 0 {
		return nil, "expected at least one entry"
	}
	return texts, ""
}

// readText reads the types that are texts in TOML.
func (p *Param) readText(text string) (any, string) {
	var v any
	var err error
	switch p.Type {
	case String:
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, text) {
			err = fmt.Errorf("expected %s, found %q", strings.Join(p.Enum, " or "), clip(text))
		}
		v = text
	case Duration:
		var d config.Duration
		d, err = config.ParseDuration(text)
		v = time.Duration(d)
	case Size:
		var n config.Size
		n, err = config.ParseSize(text)
		v = int64(n)
	case Regex:
		v, err = regexp.Compile(text)
	}
	if err == nil {
		return v, ""
	}
	if p.Secret {
		return nil, "expected " + p.Type.words()
	}
	return nil, err.Error()
}

// words names a type as a message says it.
func (t Type) words() string {
	switch t {
	case Duration:
		return "a duration such as \"10s\" or \"1m 30s\""
	case Size:
		return "a size such as \"10mb\" or a number of bytes"
	case Regex:
		return "a regular expression"
	case Tables:
		return "an array of tables"
	}
	return "text"
}

// expected says what was found by its type only: values may be secret.
func expected(want string, raw any) string {
	found := "another type"
	switch raw.(type) {
	case string:
		found = "text"
	case int64:
		found = "an integer"
	case float64:
		found = "a number with a fraction"
	case bool:
		found = "true or false"
	case []any:
		found = "a list"
	case map[string]any:
		found = "a table"
	case time.Time:
		found = "a date"
	}
	return "expected " + want + ", found " + found
}

// clip bounds what a message repeats of the configuration.
func clip(text string) string {
	const limit = 64
	if len(text) <= limit {
		return text
	}
	return text[:limit] + "…"
}
