package plugins

import (
	"fmt"
	"slices"
	"strings"
)

// Reference renders the declaration of every plugin as Markdown, in the order of their categories.
func Reference(list []Factory) string {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Factory) int { return strings.Compare(a.Category, b.Category) })
	var b strings.Builder
	for i := range sorted {
		f := &sorted[i]
		fmt.Fprintf(&b, "### %s\n\n%s Step: %s.\n\n%s\n", f.Category, f.Summary, f.stepHelp(), ParamTable(f.Params))
	}
	return b.String()
}

func (f *Factory) stepHelp() string {
	switch len(f.Steps) {
	case 0:
		return "fixed, acts on responses"
	case 1:
		return "`" + f.Steps[0].String() + "` (fixed)"
	}
	names := make([]string, len(f.Steps))
	for i, s := range f.Steps {
		names[i] = "`" + s.String() + "`"
	}
	names[0] += " (default)"
	return strings.Join(names, " or ")
}

// ParamTable renders the declaration of parameters as a Markdown table.
func ParamTable(params []Param) string {
	var b strings.Builder
	b.WriteString("| parameter | type | default | meaning |\n|---|---|---|---|\n")
	writeRows(&b, "", params)
	return b.String()
}

// writeRows writes a row for each parameter, and for those of the tables in it, whose names begin with before.
func writeRows(b *strings.Builder, before string, params []Param) {
	for i := range params {
		p := &params[i]
		help := p.Help
		if p.Secret {
			help += " Secret: never printed; `$ENV:NAME` takes it from the environment."
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", before, p.Name, p.typeHelp(), p.defaultHelp(), strings.ReplaceAll(help, "|", "\\|"))
		writeRows(b, before+p.Name+"[].", p.Table)
	}
}

func (p *Param) typeHelp() string {
	text := [...]string{String: "text", Int: "integer", Float: "number", Bool: "true or false", Strings: "list of texts",
		Duration: "duration", Size: "size", Regex: "regular expression", Tables: "array of tables"}[p.Type]
	if p.Unit != "" {
		text += " (" + p.Unit + ")"
	}
	if p.Type == Int && (p.Min != 0 || p.Max != 0) {
		text += fmt.Sprintf(", %d to %d", p.Min, p.Max)
	}
	if len(p.Enum) > 0 {
		text += ": `" + strings.Join(p.Enum, "`, `") + "`"
	}
	return text
}

func (p *Param) defaultHelp() string {
	switch d := p.Default.(type) {
	case nil:
		if p.Required {
			return "required"
		}
		return ""
	case string:
		return fmt.Sprintf("`%q`", d)
	default:
		return fmt.Sprintf("`%v`", d)
	}
}
