package places

import "strings"

// Statement is a header or a pair of a document.
type Statement struct {
	Path   []string // from the root; elements of arrays are "#0"
	Header bool
	From   int // in bytes: where its line begins, or the comments that stand right above it
	To     int // where the line after it begins
	Value  Place
}

// Statements lists what a document is made of, in its order.
func Statements(text string) ([]Statement, error) {
	var list []Statement
	s := &scanner{text: text, line: 1, places: Map{}, arrays: map[string]int{}, list: &list}
	s.scan()
	return list, s.err
}

// listed reads a statement, and keeps it where that is wanted.
func (s *scanner) listed(header bool, read func() string) string {
	begin := s.pos
	path := read()
	if s.list == nil || s.pos == begin {
		return path
	}
	st := Statement{Header: header, From: s.begin(begin), To: s.pos}
	if path != "" {
		st.Path = strings.Split(path[len(pathSeparator):], pathSeparator)
	}
	if !header {
		st.Value = s.places[path]
	}
	*s.list = append(*s.list, st)
	return path
}

// begin is where a statement begins with the comments right above it, without what stands before it on its line.
func (s *scanner) begin(pos int) int {
	least := 0
	if n := len(*s.list); n > 0 {
		least = (*s.list)[n-1].To
	}
	start := s.lineStart(pos, least)
	for start > least {
		above := s.lineStart(start-1, least)
		if !strings.HasPrefix(strings.TrimLeft(s.text[above:start], " \t"), "#") {
			break
		}
		start = above
	}
	return start
}

// lineStart is where the line begins that a byte is in.
func (s *scanner) lineStart(pos, least int) int {
	return max(least, strings.LastIndexByte(s.text[:pos], '\n')+1)
}

// span notes the bytes of a value that has been read.
func (s *scanner) span(path string, from int) {
	if s.places == nil {
		return
	}
	at := s.places[path]
	at.From, at.To = from, from+len(strings.TrimRight(s.text[from:s.pos], " \t\r"))
	s.places[path] = at
}
