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
