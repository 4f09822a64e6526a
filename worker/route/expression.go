package route

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"

	"pingap/message"
)

// expression is a regular expression with what it tells about its matches.
type expression struct {
	regex *regexp.Regexp
	names []string // by group; nil when no group has a name
	// prefix is what any text that matches begins with.
	prefix string
}

func compileExpression(text string) (*expression, error) {
	regex, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	e := &expression{regex: regex, prefix: literalPrefix(text)}
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

// literalPrefix returns the text that whatever the expression matches must begin with; empty for an
// expression that is not anchored.
func literalPrefix(text string) string {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || len(tree.Sub) < 2 {
		return ""
	}
	begin, literal := tree.Sub[0], tree.Sub[1]
	if begin.Op != syntax.OpBeginText || literal.Op != syntax.OpLiteral || literal.Flags&syntax.FoldCase != 0 {
		return ""
	}
	for i, r := range literal.Rune {
		if r == utf8.RuneError { // also matches any byte that is not UTF-8
			return string(literal.Rune[:i])
		}
	}
	return string(literal.Rune)
}
