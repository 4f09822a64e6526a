package config

import (
	"fmt"
	"strings"

	"pingap/config/internal/places"
)

// included is the parsed text of a storage.
type included struct {
	table map[string]any
	src   *source
	bad   bool // reported already, contributes nothing
}

// expandIncludes replaces the key includes of every table by the keys of the storages it
// names; these win over keys of the same name in the table itself.
func (l *loader) expandIncludes() {
	cache := map[string]*included{}
	for _, kind := range []Kind{KindServer, KindLocation, KindUpstream} {
		for _, name := range l.names[kind] {
			l.expand(l.entries[kind][name], cache)
		}
	}
}

func (l *loader) expand(e *entry, cache map[string]*included) {
	raw, ok := e.table["includes"]
	if !ok {
		return
	}
	names, ok := l.convert(e, l.schema[e.kind].key("includes"), raw).([]string)
	delete(e.table, "includes")
	if !ok {
		return
	}
	for i, name := range names {
		if l.entries[KindStorage][name] == nil {
			if !l.broken {
				l.fail(e.problem(fmt.Sprintf("storage %q is not defined%s", clip(name), l.suggestEntry(name, KindStorage)), "includes", places.Element(i)))
			}
			continue
		}
		if part := l.include(name, cache); !part.bad {
			l.merge(e, part)
		}
	}
}

// merge takes over the keys of a storage. Two storages with the same key contradict each
// other and are refused.
func (l *loader) merge(e *entry, part *included) {
	if e.from == nil {
		e.from = map[string]*source{}
	}
	for _, key := range sortedKeys(part.table) {
		if other := e.from[key]; other != nil {
			twin := entry{kind: e.kind, name: e.name, src: e.src, from: map[string]*source{key: part.src}}
			l.fail(twin.problem(fmt.Sprintf("the key comes from storage %s as well", other.storage), key))
			continue
		}
		e.table[key] = part.table[key]
		e.from[key] = part.src
	}
}

// include parses a storage's text once and reports what is wrong with it once.
func (l *loader) include(name string, cache map[string]*included) *included {
	if part, ok := cache[name]; ok {
		return part
	}
	part := &included{}
	cache[name] = part
	e := l.entries[KindStorage][name]
	text, ok := e.table["value"].(string)
	if !ok { // reported where storages are decoded
		part.bad = true
		return part
	}
	part.src = storageSource(e)
	if secret, _ := e.table["secret"].(string); secret != "" {
		part.bad = true
		l.fail(e.problem("the storage is encrypted and cannot be included yet", "value"))
		return part
	}
	part.src.text = text
	tree, err := parseText(text)
	if err != nil {
		part.bad = true
		l.fail(includeSyntaxProblem(e, part.src, err))
		return part
	}
	part.table = tree
	if _, nested := tree["includes"]; nested {
		part.bad = true
		l.failNested(e, part, cache)
	}
	return part
}

// storageSource relates lines of the storage's text to its document.
func storageSource(e *entry) *source {
	at := e.src.find(append(e.path(), "value")...)
	s := &source{file: e.src.file, order: e.src.order, storage: e.name}
	if at.Text > 0 {
		s.offset = at.Text - 1
	} else {
		s.fixed = at.Line
	}
	return s
}

func includeSyntaxProblem(e *entry, src *source, err error) Problem {
	inner := syntaxProblem(src.file, err)
	p := e.problem("the storage is included, but its value is "+inner.Message, "value")
	if src.fixed == 0 && inner.Line > 0 {
		p.Line = inner.Line + src.offset
	}
	return p
}

// failNested refuses a storage that includes others, and says so when it leads back to
// itself.
func (l *loader) failNested(e *entry, part *included, cache map[string]*included) {
	p := e.problem("a storage cannot include other storages", "value")
	p.Line = part.src.line("includes")
	if cycle := l.cycle(e.name, cache); cycle != "" {
		p.Message = "cyclic include: " + cycle
	}
	l.fail(p)
}

// cycle follows the first-level includes from a storage and draws the way back to it; ""
// when there is none. Each storage is visited once.
func (l *loader) cycle(start string, cache map[string]*included) string {
	type step struct {
		name string
		way  []string
	}
	seen := map[string]bool{}
	for todo := []step{{start, nil}}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		way := append(at.way[:len(at.way):len(at.way)], at.name)
		for _, next := range l.nestedNames(at.name) {
			if next == start {
				return strings.Join(append(way, start), " -> ")
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, step{next, way})
			}
		}
	}
	return ""
}

// nestedNames are the storages that a storage's own text includes.
func (l *loader) nestedNames(name string) []string {
	e := l.entries[KindStorage][name]
	if e == nil {
		return nil
	}
	text, _ := e.table["value"].(string)
	tree, err := parseText(text)
	if err != nil {
		return nil
	}
	list, _ := tree["includes"].([]any)
	var names []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			names = append(names, s)
		}
	}
	return names
}
