package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"

	"pingap/config/internal/places"
)

// maxBytes bounds all documents of one configuration together. 10,000 locations are
// about 2 MiB.
const maxBytes = 64 << 20

// parse reads all documents into entries. A document that is not TOML is reported and
// left out; l.broken then says that references into it cannot be judged.
func (l *loader) parse(docs []Document) {
	total := 0
	for i, doc := range docs {
		l.order[doc.Name] = i
		if total += len(doc.Data); total > maxBytes {
			l.fail(Problem{File: doc.Name, Message: fmt.Sprintf("the configuration is larger than %s", Size(maxBytes))})
			l.broken = true
			return
		}
		src := &source{file: doc.Name, order: i, text: string(doc.Data)}
		tree, err := parseText(src.text)
		if err != nil {
			l.fail(syntaxProblem(doc.Name, err))
			l.broken = true
			continue
		}
		l.collect(src, tree)
	}
}

// parseText leaves a document to the library once it is known not to nest too deep for it.
func parseText(text string) (map[string]any, error) {
	if err := places.Check(text); err != nil {
		return nil, err
	}
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return nil, err
	}
	return tree, nil
}

func syntaxProblem(file string, err error) Problem {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		p := Problem{File: file, Line: parse.Position.Line, Key: parse.LastKey, Message: "not valid TOML: " + parse.Message}
		if secretKey(parse.LastKey) {
			p.Message = "not valid TOML: malformed value" // the library quotes what it found
		}
		return p
	}
	return Problem{File: file, Message: "not valid TOML: " + err.Error()}
}

// secretKey says whether the value of a dotted key must not be quoted.
func secretKey(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	for _, t := range Tables() {
		if k := t.key(name); k != nil && k.Type == "secret" {
			return true
		}
	}
	return soundsSecret(name)
}

// collect files the tables of one document under their kinds.
func (l *loader) collect(src *source, tree map[string]any) {
	for _, name := range sortedKeys(tree) {
		kind, ok := kindOfTable(name)
		if !ok {
			l.unknownTable(src, name)
			continue
		}
		table, ok := tree[name].(map[string]any)
		if !ok {
			l.fail(Problem{File: src.file, Line: src.line(name), Key: dotted([]string{name}),
				Message: fmt.Sprintf("expected %s, found %s", headerOf(kind), describe(tree[name]))})
			continue
		}
		if kind == KindBasic {
			l.add(&entry{kind: kind, name: "", table: table, src: src})
			continue
		}
		l.collectObjects(kind, src, table)
	}
}

func headerOf(kind Kind) string {
	if kind == KindBasic {
		return "a table [basic]"
	}
	return "tables [" + kind.Table() + ".NAME]"
}

func (l *loader) collectObjects(kind Kind, src *source, tables map[string]any) {
	for _, name := range sortedKeys(tables) {
		e := &entry{kind: kind, name: name, src: src}
		table, ok := tables[name].(map[string]any)
		if !ok {
			message := fmt.Sprintf("expected a table [%s], found %s", dotted(e.path()), describe(tables[name]))
			if l.schema[kind].key(name) != nil {
				message = fmt.Sprintf("the key %s stands outside of an object, expected it in a table [%s.NAME]", name, kind.Table())
			}
			l.fail(e.problem(message))
			continue
		}
		if name == "" || containsControl(name) {
			l.fail(e.problem("expected a name without control characters that is not empty"))
			continue
		}
		e.table = table
		l.add(e)
	}
}

// add files an entry; the same table in two documents is an error, as it would be in one.
func (l *loader) add(e *entry) {
	first, ok := l.entries[e.kind][e.name]
	if !ok {
		l.entries[e.kind][e.name] = e
		return
	}
	at := first.problem("")
	l.fail(e.problem(fmt.Sprintf("the table is defined twice, first at %s:%d", at.File, at.Line)))
}

func (l *loader) unknownTable(src *source, name string) {
	message := "unknown table, it is ignored"
	var names []string
	for k := KindBasic; k < kinds; k++ {
		names = append(names, k.Table())
	}
	l.unknown(Problem{File: src.file, Line: src.line(name), Key: dotted([]string{name}), Message: message + l.suggest(name, names)})
}

func containsControl(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < 0x20 || text[i] == 0x7f {
			return true
		}
	}
	return false
}
