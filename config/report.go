package config

import (
	"fmt"
	"strings"
)

// Problem is one finding, with the place to look at.
type Problem struct {
	File    string // name of the document
	Line    int    // from 1; 0 when there is none
	Key     string // dotted path such as locations.api.rewrite; may be empty
	Message string // what is wrong and what was expected
}

// String is one line: file:line: key: message.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Report holds every finding of one Load, ordered by document and line.
type Report struct {
	Errors   []Problem
	Warnings []Problem
}

// Err is nil when nothing refuses the configuration, else an *Error with all errors.
func (r Report) Err() error {
	if len(r.Errors) == 0 {
		return nil
	}
	return &Error{Problems: r.Errors}
}

// Error is a refused configuration.
type Error struct {
	Problems []Problem
}

// Error lists every problem on a line of its own.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
