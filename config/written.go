package config

import (
	"bytes"
	"strings"
)

// Written is a table as its document has it: values as TOML has them, includes not expanded.
type Written struct {
	Kind  Kind
	Name  string // empty for basic
	Table map[string]any
	File  string
	Line  int
}

// ReadTables reads the tables of documents, ordered by kind and name. Nothing is checked but what it takes to tell tables apart: what of
// documents can be read is returned even with errors in the report.
func ReadTables(docs []Document) ([]Written, Report) {
	l := &loader{schema: &schema{}, order: map[string]int{}, warned: map[string]bool{}}
	for kind := range l.entries {
		l.entries[kind] = map[string]*entry{}
	}
	l.parse(docs)
	l.finish()
	var all []Written
	for kind := KindBasic; kind < kinds; kind++ {
		for _, name := range sortedKeys(l.entries[kind]) {
			e := l.entries[kind][name]
			table, _ := plain(e.table).(map[string]any)
			all = append(all, Written{Kind: kind, Name: name, Table: table, File: e.src.file, Line: e.src.line(e.path()...)})
		}
	}
	return all, l.report
}

// ParseKind finds a kind by its name, or that of its table.
func ParseKind(name string) (Kind, bool) {
	if kind, ok := kindOfTable(name); ok {
		return kind, true
	}
	return kindOfTable(name + "s")
}

// Path is where the table is in a document.
func (w *Written) Path() []string {
	e := entry{kind: w.Kind, name: w.Name}
	return e.path()
}

// Object is the name in messages, such as location:api.
func (w *Written) Object() string { return Change{Kind: w.Kind, Name: w.Name}.Object() }

// Text gives the table as TOML: its keys in the order of t, which may be nil, then others by name.
func (w *Written) Text(t *Table) string {
	var out bytes.Buffer
	out.WriteString("[" + w.Kind.Table())
	if w.Kind != KindBasic {
		out.WriteString("." + KeyText(w.Name))
	}
	out.WriteString("]\n")
	line := func(key string) { out.WriteString(KeyText(key) + " = " + ValueText(w.Table[key]) + "\n") }
	for i := 0; t != nil && i < len(t.Keys); i++ {
		if key := t.Keys[i].Name; w.Table[key] != nil {
			line(key)
		}
	}
	for _, key := range sortedKeys(w.Table) {
		if t.key(key) == nil && w.Table[key] != nil {
			line(key)
		}
	}
	return out.String()
}

// KeyText writes a key as TOML does, in quotes where it must be.
func KeyText(name string) string { return keyText(name) }

// ValueText writes a value as TOML does: a string, a bool, an int64, a float64, a time, or lists and maps of these. Secrets are written. A text
// of several lines gets as many.
func ValueText(v any) string {
	if text, ok := v.(string); ok && strings.Contains(text, "\n") && !strings.Contains(text, "'''") && !containsControl(strings.NewReplacer("\n", "", "\t", "").Replace(text)) &&
		!strings.HasSuffix(text, "'") {
		return "'''\n" + text + "'''"
	}
	w := writer{secrets: true}
	return w.param("", arrays(v), false)
}

// HiddenMark stands for a secret that is not shown.
const HiddenMark = "***"

// Shown is the form of a text that people may see: HiddenMark for a secret, or the text with what is secret in it redacted. A path of a
// file is none, whatever is in that.
func (t *Table) Shown(key, text string) string {
	k := t.key(key)
	switch {
	case k == nil:
		return ShownText(key, text)
	case text == "":
		return text
	case k.Name == "prometheus_metrics" && text[0] == '/':
		return text // the path of a page; secret is where to push to
	case k.File != "" && holdsKey(text):
		return HiddenMark
	case k.Type == "secret" && (k.File == "" || isContent(k.File, text) || !plausiblePath(text)):
		return HiddenMark
	case k.Type == "secret":
		return text
	case k.Type == "list":
		return redactHeader(redactURL(text))
	}
	return redactURL(text)
}

// ShownText is Shown for what no table describes: a name that sounds secret decides.
func ShownText(name, text string) string {
	if text != "" && (soundsSecret(name) || holdsKey(text)) {
		return HiddenMark
	}
	return OpenText(text)
}

// OpenText is Shown for a text that is known to be no secret: what may be secret in it as a header, or as a URL, is redacted.
func OpenText(text string) string {
	if holdsKey(text) {
		return HiddenMark
	}
	return redactHeader(redactURL(text))
}

// ObjectOf names the object that a dotted key of a Problem is in, such as location:api; empty for none.
func ObjectOf(key string) string {
	table, rest, _ := strings.Cut(key, ".")
	kind, ok := kindOfTable(table)
	switch {
	case !ok:
		return ""
	case kind == KindBasic:
		return "basic"
	}
	name, _, _ := strings.Cut(rest, ".")
	if quoted, found := strings.CutPrefix(rest, `"`); found {
		name, _, _ = strings.Cut(quoted, `"`)
	}
	name, _, _ = strings.Cut(name, "[")
	if name == "" {
		return ""
	}
	return kind.String() + ":" + name
}
