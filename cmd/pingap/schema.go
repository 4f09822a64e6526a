package main

import (
	"fmt"
	"slices"
	"strings"

	"pingap/config"
	"pingap/control/admin/objects"
	"pingap/plugins"
)

// pluginSchema is what plugins declare, for control, which knows none of them.
func pluginSchema(list []plugins.Factory) []objects.Plugin {
	var all []objects.Plugin
	for i := range list {
		f := &list[i]
		p := objects.Plugin{Category: f.Category, Summary: f.Summary, Steps: []string{}, Keys: parameters(f.Params)}
		for _, s := range f.Steps {
			p.Steps = append(p.Steps, s.String())
		}
		p.Example = pluginExample(f)
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b objects.Plugin) int { return strings.Compare(a.Category, b.Category) })
	return all
}

func parameters(params []plugins.Param) []objects.Parameter {
	list := []objects.Parameter{}
	for i := range params {
		p := &params[i]
		key := objects.Parameter{Name: p.Name, Type: parameterType(p), Unit: p.Unit, Default: p.Default, Enum: p.Enum, Help: p.Help, Class: "hot", Secret: p.Secret,
			Required: p.Required}
		if p.Type == plugins.Int && (p.Min != 0 || p.Max != 0) {
			key.Min, key.Max = p.Min, p.Max
		}
		if p.Upstream {
			key.Refers = config.KindUpstream.String()
		}
		if p.Type == plugins.Regex {
			key.Format = "regex"
		}
		if p.Type == plugins.Tables {
			key.Keys = parameters(p.Table)
		}
		list = append(list, key)
	}
	return list
}

func parameterType(p *plugins.Param) string {
	if len(p.Enum) > 0 {
		return "enum"
	}
	return [...]string{plugins.String: "string", plugins.Int: "int", plugins.Float: "float", plugins.Bool: "bool", plugins.Strings: "list",
		plugins.Duration: "duration", plugins.Size: "size", plugins.Regex: "string", plugins.Tables: "table"}[p.Type]
}

// pluginExample is a table to begin with: what must be there, and the rest with its default as comments.
func pluginExample(f *plugins.Factory) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[plugins.NAME]\ncategory = %q\n", f.Category)
	if len(f.Steps) > 1 {
		fmt.Fprintf(&b, "# step = %q\n", f.Steps[0])
	}
	for i := range f.Params {
		p := &f.Params[i]
		line := p.Name + " = " + exampleOf(p) + "\n"
		if !p.Required {
			line = "# " + line
		}
		b.WriteString(line)
	}
	return b.String()
}

// exampleOf is the default, or a value of the type.
func exampleOf(p *plugins.Param) string {
	switch {
	case p.Default != nil:
		if text, ok := p.Default.(string); ok {
			return config.ValueText(text)
		}
		return fmt.Sprint(p.Default)
	case len(p.Enum) > 0:
		return config.ValueText(p.Enum[0])
	}
	switch p.Type {
	case plugins.Int:
		return fmt.Sprint(max(p.Min, 1))
	case plugins.Float:
		return "1.0"
	case plugins.Bool:
		return "true"
	case plugins.Strings:
		return `["..."]`
	case plugins.Duration:
		return `"10s"`
	case plugins.Size:
		return `"1mib"`
	case plugins.Tables:
		return tableExample(p.Table)
	}
	return `"..."`
}

func tableExample(params []plugins.Param) string {
	var keys []string
	for i := range params {
		if p := &params[i]; p.Required {
			keys = append(keys, p.Name+" = "+exampleOf(p))
		}
	}
	return "[{ " + strings.Join(keys, ", ") + " }]"
}
