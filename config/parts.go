package config

import (
	"bytes"
)

// Part is one table of a configuration by itself, as text.
type Part struct {
	Table string // "servers"
	Name  string // empty for basic
	Text  []byte
}

// Parts takes documents apart, ordered by tables and names, so that they can be stored one by one. Values stay as they were written, and
// so do unknown keys; comments and the order of keys do not. With expand, tables hold what they include. Nothing is checked
// but what it takes to tell tables apart; unknown tables are left out, and warned about.
func Parts(docs []Document, expand bool) ([]Part, Report) {
	l := &loader{schema: newSchema(), order: map[string]int{}, warned: map[string]bool{}}
	for kind := range l.entries {
		l.entries[kind] = map[string]*entry{}
	}
	l.parse(docs)
	for kind := range l.entries {
		l.names[kind] = sortedKeys(l.entries[kind])
	}
	if expand {
		l.expandIncludes()
	}
	l.finish()
	if len(l.report.Errors) > 0 {
		return nil, l.report
	}
	var parts []Part
	for kind := KindBasic; kind < kinds; kind++ {
		for _, name := range l.names[kind] {
			parts = append(parts, Part{Table: kind.Table(), Name: name, Text: l.entries[kind][name].write()})
		}
	}
	return parts, l.report
}

// write gives the table as TOML.
func (e *entry) write() []byte {
	var out bytes.Buffer
	out.WriteString("[" + e.kind.Table())
	if e.kind != KindBasic {
		out.WriteString("." + keyText(e.name))
	}
	out.WriteString("]\n")
	w := writer{secrets: true}
	for _, key := range sortedKeys(e.table) {
		out.WriteString(keyText(key) + " = " + w.param(key, arrays(e.table[key]), false) + "\n")
	}
	return out.Bytes()
}

// arrays makes arrays of tables, which the library gives a type of their own, into arrays.
func arrays(v any) any {
	switch v := v.(type) {
	case []map[string]any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = arrays(v[i])
		}
		return list
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = arrays(v[i])
		}
		return list
	case map[string]any:
		table := make(map[string]any, len(v))
		for key := range v {
			table[key] = arrays(v[key])
		}
		return table
	}
	return v
}
