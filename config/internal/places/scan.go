package places

import (
	"errors"
	"strconv"
	"strings"
)

// MaxNesting bounds nested arrays, inline tables and dotted keys, because the library
// recurses over them.
const MaxNesting = 64

// ErrNesting is returned for documents that nest deeper than MaxNesting.
var ErrNesting = errors.New("arrays, tables and dotted keys may be nested at most 64 deep")

// Place is where a key or an array element stands.
type Place struct {
	Line int
	// Text is where the content of a string starts that spans lines verbatim; 0 when line
	// numbers inside the value cannot be told from the document.
	Text int
	// From and To are the bytes of the value; both 0 for a table with a header of its own.
	From, To int
}

// Map gives the place of every key, by its path joined with pathSeparator. Elements of
// arrays are "#0", "#1", ... in the path.
type Map map[string]Place

const pathSeparator = "\x1f"

// join makes the key of a path in the Map. The separator stands in front of each part, so
// that an empty key differs from no key.
func join(path ...string) string { return pathSeparator + strings.Join(path, pathSeparator) }

// Element is the path element of the i-th element of an array.
func Element(i int) string { return "#" + strconv.Itoa(i) }

// Find gives the place of the path or of the nearest thing around it.
func (p Map) Find(path ...string) Place {
	for n := len(path); n > 0; n-- {
		if at, ok := p[join(path[:n]...)]; ok {
			return at
		}
	}
	return Place{}
}

// Exact gives the place of the path itself.
func (p Map) Exact(path ...string) (Place, bool) {
	at, ok := p[join(path...)]
	return at, ok
}

type scanner struct {
	text   string
	pos    int
	line   int
	depth  int
	places Map            // nil when only nesting is checked; then all paths are empty
	arrays map[string]int // [[a]]: path -> index of the last element
	err    error
	list   *[]Statement // nil unless statements are wanted
}

// Scan walks a document once. On text that is not TOML the lines mean nothing.
func Scan(text string) (Map, error) {
	s := &scanner{text: text, line: 1, places: Map{}, arrays: map[string]int{}}
	s.scan()
	return s.places, s.err
}

// Check gives the error of Scan alone, at a fraction of its cost.
func Check(text string) error {
	s := &scanner{text: text, line: 1, arrays: map[string]int{}}
	s.scan()
	return s.err
}

func (s *scanner) scan() {
	prefix := ""
	for s.err == nil {
		s.skipBlank(true)
		if s.pos >= len(s.text) {
			return
		}
		if s.text[s.pos] == '[' {
			prefix = s.listed(true, func() string { return s.header() })
			continue
		}
		s.listed(false, func() string {
			path := s.pair(prefix)
			s.skipLine()
			return path
		})
	}
}

// header reads [a.b] or [[a.b]] and returns the path that keys below it have.
func (s *scanner) header() string {
	line := s.line
	s.pos++
	array := s.peek() == '['
	if array {
		s.pos++
	}
	path := ""
	parts := s.keyParts()
	for i, part := range parts {
		path = s.extend(path, part)
		last := i == len(parts)-1
		n, isArray := s.arrays[path]
		if last && array {
			if isArray {
				n++
			}
			s.arrays[path] = n
			s.noteOnce(path, line)
			isArray = true
		}
		if isArray {
			path = s.element(path, n)
		}
		s.noteOnce(path, line)
	}
	s.skipLine()
	return path
}

// extend adds to a joined path; "" is the root.
func (s *scanner) extend(path, part string) string {
	if s.places == nil {
		return ""
	}
	return path + pathSeparator + part
}

// element is the path of an element of an array.
func (s *scanner) element(path string, i int) string {
	if s.places == nil {
		return ""
	}
	return s.extend(path, Element(i))
}

// noteOnce keeps the first place: a parent belongs to its first child.
func (s *scanner) noteOnce(path string, line int) {
	if _, ok := s.places[path]; !ok && s.places != nil {
		s.places[path] = Place{Line: line}
	}
}

// pair reads key = value, and returns the path of the key.
func (s *scanner) pair(prefix string) string {
	path := prefix
	line := s.line
	parts := s.keyParts()
	if len(parts) == 0 {
		return path
	}
	for _, part := range parts {
		path = s.extend(path, part)
		s.noteOnce(path, line)
	}
	s.skipBlank(false)
	if s.peek() != '=' {
		return path
	}
	s.pos++
	s.skipBlank(false)
	s.value(path)
	return path
}

// keyParts reads a dotted key.
func (s *scanner) keyParts() []string {
	var parts []string
	for s.pos < len(s.text) {
		s.skipBlank(false)
		part, ok := s.keyPart()
		if !ok {
			break
		}
		parts = append(parts, part)
		if len(parts) > MaxNesting {
			s.err = ErrNesting
			break
		}
		s.skipBlank(false)
		if s.peek() != '.' {
			break
		}
		s.pos++
	}
	return parts
}

func (s *scanner) keyPart() (string, bool) {
	switch c := s.peek(); c {
	case '"', '\'':
		start := s.pos
		s.simpleString(c)
		return unquoteKey(s.text[start:s.pos]), true
	default:
		n := prefixLen(s.text[s.pos:], isBareKey)
		s.pos += n
		return s.text[s.pos-n : s.pos], n > 0
	}
}

func isBareKey(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '-' || c == '_' || c >= 0x80
}

// unquoteKey resolves the escapes of a basic string. TOML knows \e, Go does not.
func unquoteKey(quoted string) string {
	rest := strings.TrimSuffix(quoted[1:], quoted[:1])
	if quoted[0] == '\'' {
		return rest
	}
	var b strings.Builder
	for rest != "" {
		if tail, ok := strings.CutPrefix(rest, `\e`); ok {
			b.WriteByte(0x1b)
			rest = tail
			continue
		}
		char, _, tail, err := strconv.UnquoteChar(rest, '"')
		if err != nil {
			return quoted
		}
		b.WriteRune(char)
		rest = tail
	}
	return b.String()
}

// value skips a value and notes the places inside it.
func (s *scanner) value(path string) {
	if s.depth++; s.depth > MaxNesting {
		s.err = ErrNesting
		return
	}
	from := s.pos
	defer func() { s.depth--; s.span(path, from) }()
	switch c := s.peek(); {
	case strings.HasPrefix(s.text[s.pos:], `"""`), strings.HasPrefix(s.text[s.pos:], `'''`):
		s.longString(path, s.text[s.pos:s.pos+3])
	case c == '"' || c == '\'':
		s.simpleString(c)
	case c == '[':
		s.array(path)
	case c == '{':
		s.inlineTable(path)
	default:
		s.pos += prefixLen(s.text[s.pos:], func(c byte) bool {
			return c != ',' && c != ']' && c != '}' && c != '\n' && c != '#'
		})
	}
}

// longString skips a string in triple quotes and notes where its content starts.
func (s *scanner) longString(path, quote string) {
	at := s.places[path]
	s.pos += 3
	start := s.pos
	at.Text = s.line
	if strings.HasPrefix(s.text[s.pos:], "\n") || strings.HasPrefix(s.text[s.pos:], "\r\n") {
		at.Text++ // the first line break is not part of the content
	}
	for s.pos < len(s.text) && !strings.HasPrefix(s.text[s.pos:], quote) {
		if s.text[s.pos] == '\\' && quote[0] == '"' {
			s.step()
		}
		s.step()
	}
	if quote[0] == '"' && strings.Contains(s.text[start:min(s.pos, len(s.text))], `\`) {
		at.Text = 0
	}
	if s.places != nil {
		s.places[path] = at
	}
	s.pos = min(s.pos+3, len(s.text))
	for n := 0; n < 2 && s.peek() == quote[0]; n++ { // up to two quotes may end the content
		s.pos++
	}
}

// simpleString skips a string in single or double quotes.
func (s *scanner) simpleString(quote byte) {
	s.pos++
	for s.pos < len(s.text) && s.text[s.pos] != quote && s.text[s.pos] != '\n' {
		if s.text[s.pos] == '\\' && quote == '"' {
			s.step()
		}
		s.step()
	}
	if s.peek() == quote {
		s.pos++
	}
}

func (s *scanner) array(path string) {
	s.pos++
	for i := 0; s.err == nil; {
		s.skipBlank(true)
		switch s.peek() {
		case 0, ']':
			s.pos = min(s.pos+1, len(s.text))
			return
		case ',':
			s.pos++
			continue
		}
		element := s.element(path, i)
		s.noteOnce(element, s.line)
		before := s.pos
		s.value(element)
		if s.pos == before {
			s.step()
		}
		i++
	}
}

func (s *scanner) inlineTable(path string) {
	s.pos++
	for s.err == nil {
		s.skipBlank(true)
		switch s.peek() {
		case 0, '}':
			s.pos = min(s.pos+1, len(s.text))
			return
		case ',':
			s.pos++
			continue
		}
		before := s.pos
		s.pair(path)
		if s.pos == before {
			s.step()
		}
	}
}

// skipBlank skips blanks, and with lines also line ends and comments.
func (s *scanner) skipBlank(lines bool) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
			s.pos++
		case lines && c == '\n':
			s.step()
		case lines && c == '#':
			s.pos += prefixLen(s.text[s.pos:], func(c byte) bool { return c != '\n' })
		default:
			return
		}
	}
}

// skipLine goes to the start of the next line.
func (s *scanner) skipLine() {
	s.pos += prefixLen(s.text[s.pos:], func(c byte) bool { return c != '\n' })
	s.step()
}

func (s *scanner) step() {
	if s.pos >= len(s.text) {
		return
	}
	if s.text[s.pos] == '\n' {
		s.line++
	}
	s.pos++
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos >= len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

func prefixLen(text string, in func(byte) bool) int {
	n := 0
	for n < len(text) && in(text[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
