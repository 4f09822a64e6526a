package route

import (
	"bytes"
	"regexp"
	"strings"

	"pingap/message"
)

type pathKind uint8

const (
	pathAny pathKind = iota
	pathExact
	pathPrefix
	pathRegex
)

// pathRule is the compiled path of a location.
type pathRule struct {
	kind  pathKind
	text  string // exact or prefix, as configured
	regex *expression
}

// compilePath compiles a path: "" any, "=text" exact, "~regex" searched anywhere, else a prefix.
func compilePath(text string) (pathRule, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return pathRule{}, nil
	case text[0] == '=':
		return pathRule{kind: pathExact, text: strings.TrimSpace(text[1:])}, nil
	case text[0] == '~':
		regex, err := compileExpression(strings.TrimSpace(text[1:]))
		return pathRule{kind: pathRegex, regex: regex}, err
	}
	return pathRule{kind: pathPrefix, text: text}, nil
}

// match is the plain meaning of a rule, with text in the form that the table compares.
func (p *pathRule) match(path []byte, text string) bool {
	switch p.kind {
	case pathExact:
		return string(path) == text
	case pathPrefix:
		return len(path) >= len(text) && string(path[:len(text)]) == text
	case pathRegex:
		return p.regex.regex.Match(path)
	}
	return true
}

// normalText returns a configured exact path or prefix in the form of message.Request.NormalPath, so
// that a configuration spelled otherwise still matches. A prefix may end inside a segment: what
// ends it ("/.", "/a/..") is not a dot segment yet and stays.
func (p *pathRule) normalText() string {
	const inside = "!" // stands for the rest of a segment; never part of an escape or dot segment
	var r message.Request
	if p.kind == pathPrefix {
		r.SetTarget([]byte(p.text + inside))
		if bytes.IndexByte(r.Target, '?') < 0 {
			return strings.TrimSuffix(string(r.NormalPath()), inside)
		}
		return p.text
	}
	r.SetTarget([]byte(p.text))
	if r.HasQuery {
		return p.text // no path has a question mark: matches nothing, as written
	}
	return string(r.NormalPath())
}

// expression is a regular expression with what it tells about its matches.
type expression struct {
	regex *regexp.Regexp
	names []string // by group; nil when no group has a name
}

func compileExpression(text string) (*expression, error) {
	regex, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	e := &expression{regex: regex}
	for _, name := range regex.SubexpNames() {
		if name != "" {
			e.names = regex.SubexpNames()
		}
	}
	return e, nil
}

// capture appends the named groups of the first match in text to the record's captures. The values
// are views into text.
func (e *expression) capture(rec *message.Record, text []byte) {
	if e.names == nil {
		return
	}
	e.captureMatch(rec, text, e.regex.FindSubmatchIndex(text))
}

func (e *expression) captureMatch(rec *message.Record, text []byte, match []int) {
	for group, name := range e.names {
		if name == "" || 2*group+1 >= len(match) || match[2*group] < 0 {
			continue
		}
		setCapture(rec, name, text[match[2*group]:match[2*group+1]])
	}
}

// setCapture sets a captured variable; a later expression replaces the value of an earlier one.
func setCapture(rec *message.Record, name string, value []byte) {
	for i := range rec.Captures {
		if rec.Captures[i].Name == name {
			rec.Captures[i].Value = value
			return
		}
	}
	rec.Captures = append(rec.Captures, message.Capture{Name: name, Value: value})
}
