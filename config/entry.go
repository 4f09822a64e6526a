package config

import (
	"sort"
	"strings"

	"pingap/config/internal/places"
)

// source is a text whose keys have places: a document, or the text of a storage that
// stands inside one.
type source struct {
	file  string
	order int // of the document among all
	text  string
	at    places.Map // nil until a place is asked for: a configuration without findings needs none
	// offset is added to lines of an included text; fixed replaces them where lines
	// inside the storage's value cannot be told.
	offset, fixed int
	storage       string
}

func (s *source) line(path ...string) int {
	if s.fixed > 0 {
		return s.fixed
	}
	at := s.find(path...)
	if at.Line == 0 {
		return 0
	}
	return at.Line + s.offset
}

// find gives the place of a path in the text.
func (s *source) find(path ...string) places.Place {
	if s.at == nil {
		s.at, _ = places.Scan(s.text) // parse has refused what nests too deep
	}
	return s.at.Find(path...)
}

// entry is one table as written, includes expanded.
type entry struct {
	kind  Kind
	name  string
	table map[string]any
	src   *source
	// from says which storage a key was included from; absent for the table's own keys.
	from map[string]*source
}

// path is the path of the table in its document.
func (e *entry) path() []string {
	if e.kind == KindBasic {
		return []string{"basic"}
	}
	return []string{e.kind.Table(), e.name}
}

// problem makes a finding at a key of the table, or an element of it.
func (e *entry) problem(message string, path ...string) Problem {
	p := Problem{Key: dotted(append(e.path(), path...)), Message: message}
	if len(path) > 0 {
		if src := e.from[path[0]]; src != nil {
			p.File, p.Line = src.file, src.line(path...)
			p.Message += " (included from storage " + src.storage + ")"
			return p
		}
	}
	p.File, p.Line = e.src.file, e.src.line(append(e.path(), path...)...)
	return p
}

// dotted writes a path as TOML would, elements as [n].
func dotted(path []string) string {
	var b strings.Builder
	for i, part := range path {
		if strings.HasPrefix(part, "#") {
			b.WriteString("[" + part[1:] + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		if part == "" || prefixLen(part, isBareKey) < len(part) {
			part = `"` + strings.Map(printable, part) + `"`
		}
		b.WriteString(part)
	}
	return b.String()
}

// printable keeps control characters of names out of reports.
func printable(r rune) rune {
	if r < 0x20 || r == 0x7f {
		return '?'
	}
	return r
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// isBareKey is what a TOML key may hold without quotes, beyond ASCII as well for reports.
func isBareKey(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '-' || c == '_' || c >= 0x80
}
