package route

import (
	"bytes"
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

// literal returns the text under which a rule hangs in a tree, whether the path must end there, and
// whether an expression is left to try.
func (p *pathRule) literal(raw bool) (text string, exact, costly bool) {
	switch p.kind {
	case pathRegex:
		return p.regex.prefix, false, true
	case pathAny:
		return "", false, false
	}
	text = p.text
	if !raw {
		text = p.normalText()
	}
	return text, p.kind == pathExact, false
}
