package text

import (
	"cmp"
	"slices"
	"strings"

	"pingap/config/internal/places"
)

// Spans replaces values by their paths. Elements of arrays are "#0" in a path.
type Spans struct {
	text  string
	at    places.Map
	edits []edit
}

// Values reads where the values of a document are.
func Values(text string) (*Spans, error) {
	at, err := places.Scan(text)
	return &Spans{text: text, at: at}, err
}

// Replace puts another text in place of a value, and reports whether there is such a value.
func (s *Spans) Replace(value string, path ...string) bool {
	at, ok := s.at.Exact(path...)
	if !ok || at.To == 0 {
		return false
	}
	s.edits = append(s.edits, edit{from: at.From, to: at.To, text: value})
	return true
}

// String is the text with all changes made.
func (s *Spans) String() string {
	slices.SortStableFunc(s.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	at := 0
	for _, e := range s.edits {
		if e.from < at {
			continue // inside of one that was replaced
		}
		b.WriteString(s.text[at:e.from] + e.text)
		at = e.to
	}
	b.WriteString(s.text[at:])
	return b.String()
}

// Comments replaces comments, each from its # to the end of the line.
func (s *Spans) Comments(replace func(comment string) string) {
	var values [][2]int // in their order
	for _, at := range s.at {
		if at.To > at.From && s.text[at.From] != '[' && s.text[at.From] != '{' {
			values = append(values, [2]int{at.From, at.To})
		}
	}
	slices.SortFunc(values, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	for pos := 0; pos < len(s.text); {
		for len(values) > 0 && values[0][1] <= pos {
			values = values[1:]
		}
		stop := len(s.text)
		if len(values) > 0 {
			stop = max(pos, values[0][0])
		}
		n := strings.IndexByte(s.text[pos:stop], '#')
		switch {
		case n >= 0:
			from := pos + n
			pos = len(s.text)
			if end := strings.IndexByte(s.text[from:], '\n'); end >= 0 {
				pos = from + end
			}
			if old := strings.TrimRight(s.text[from:pos], "\r"); replace(old) != old {
				s.edits = append(s.edits, edit{from: from, to: from + len(old), text: replace(old)})
			}
		case len(values) > 0:
			pos = values[0][1]
		default:
			return
		}
	}
}
