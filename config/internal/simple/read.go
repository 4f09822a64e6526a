package simple

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader walks a document. A method that meets something it does not know returns false.
type reader struct {
	text string
	pos  int
	root map[string]any
}

// Read gives the tree of a document; false when the library has to read it. Strings in the tree
// are parts of text.
func Read(text string) (map[string]any, bool) {
	if !printable(text) {
		return nil, false
	}
	r := &reader{text: text, root: map[string]any{}}
	table := r.root
	for {
		r.skipLines()
		if r.pos == len(r.text) {
			return r.root, true
		}
		ok := true
		if r.accept('[') {
			table, ok = r.header()
		} else {
			ok = r.pair(table)
		}
		if !ok || !r.endOfLine() {
			return nil, false
		}
	}
}

// printable says whether text is UTF-8 without control characters but tabs and line feeds.
func printable(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(text)
}

// maxParts bounds the parts of a header.
const maxParts = 8

// header reads what follows the bracket of [a] or [a.b] and gives the new table.
func (r *reader) header() (map[string]any, bool) {
	parent := r.root
	for range maxParts {
		r.skipBlanks()
		name, ok := r.key()
		if !ok {
			return nil, false
		}
		r.skipBlanks()
		if r.accept(']') {
			return newTable(parent, name)
		}
		if !r.accept('.') {
			return nil, false
		}
		if parent, ok = implied(parent, name); !ok {
			return nil, false
		}
	}
	return nil, false
}

// newTable adds a table that is not there yet.
func newTable(parent map[string]any, name string) (map[string]any, bool) {
	if _, taken := parent[name]; taken {
		return nil, false
	}
	table := map[string]any{}
	parent[name] = table
	return table, true
}

// implied gives the table that another stands in.
func implied(parent map[string]any, name string) (map[string]any, bool) {
	if v, there := parent[name]; there {
		table, ok := v.(map[string]any)
		return table, ok
	}
	return newTable(parent, name)
}

// pair reads key = value.
func (r *reader) pair(table map[string]any) bool {
	name, ok := r.key()
	if !ok {
		return false
	}
	if _, taken := table[name]; taken {
		return false
	}
	r.skipBlanks()
	if !r.accept('=') {
		return false
	}
	r.skipBlanks()
	v, ok := r.value()
	if ok {
		table[name] = v
	}
	return ok
}

// key reads one part of a key: bare, or in quotes.
func (r *reader) key() (string, bool) {
	if c := r.peek(); c == '"' || c == '\'' {
		return r.short(c)
	}
	start := r.pos
	for r.pos < len(r.text) && isBare(r.text[r.pos]) {
		r.pos++
	}
	return r.text[start:r.pos], r.pos > start
}

func isBare(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

func (r *reader) value() (any, bool) {
	switch c := r.peek(); c {
	case '"', '\'':
		return r.str(c)
	case '[':
		return r.list()
	}
	start := r.pos
	for r.pos < len(r.text) && isBare(r.text[r.pos]) {
		r.pos++
	}
	switch word := r.text[start:r.pos]; word {
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		return integer(word)
	}
}

// maxDigits is what always fits into 64 bits.
const maxDigits = 18

// integer reads decimal digits without signs or underscores; what follows them in the document
// makes the end of the line wrong if it belongs to the number.
func integer(word string) (any, bool) {
	if word == "" || len(word) > maxDigits || word[0] == '0' && len(word) > 1 {
		return nil, false
	}
	for i := 0; i < len(word); i++ {
		if word[i] < '0' || word[i] > '9' {
			return nil, false
		}
	}
	n, err := strconv.ParseInt(word, 10, 64)
	return n, err == nil
}

// list reads a list of strings, which may span lines.
func (r *reader) list() (any, bool) {
	r.pos++
	out := []any{}
	for {
		r.skipLines()
		if r.accept(']') {
			return out, true
		}
		c := r.peek()
		if c != '"' && c != '\'' {
			return nil, false
		}
		v, ok := r.str(c)
		if !ok {
			return nil, false
		}
		out = append(out, v)
		r.skipLines()
		if !r.accept(',') && r.peek() != ']' {
			return nil, false
		}
	}
}

// str reads a string in one or three quotes.
func (r *reader) str(quote byte) (string, bool) {
	if three := strings.Repeat(string(quote), 3); strings.HasPrefix(r.text[r.pos:], three) {
		return r.long(three)
	}
	return r.short(quote)
}

// short reads a string on one line.
func (r *reader) short(quote byte) (string, bool) {
	rest := r.text[r.pos+1:]
	n := strings.IndexByte(rest, quote)
	if n < 0 {
		return "", false
	}
	if quote == '"' && strings.IndexByte(rest[:n], '\\') >= 0 {
		return r.escaped(rest)
	}
	r.pos += n + 2
	return rest[:n], strings.IndexByte(rest[:n], '\n') < 0
}

// escaped reads the rest of a string with escapes; expressions are full of them.
func (r *reader) escaped(rest string) (string, bool) {
	var out []byte
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '"':
			r.pos += i + 2
			return string(out), true
		case '\n':
			return "", false
		case '\\':
			i++
			if i == len(rest) || rest[i] != '\\' && rest[i] != '"' {
				return "", false
			}
			out = append(out, rest[i])
		default:
			out = append(out, c)
		}
	}
	return "", false
}

// long reads a string over lines. A line feed at its beginning is not part of it.
func (r *reader) long(quotes string) (string, bool) {
	rest := strings.TrimPrefix(r.text[r.pos+3:], "\n")
	n := strings.Index(rest, quotes)
	if n < 0 || strings.HasPrefix(rest[n+3:], quotes[:1]) { // quotes may belong to the content
		return "", false
	}
	r.pos = len(r.text) - len(rest) + n + 3
	return rest[:n], quotes[0] == '\'' || strings.IndexByte(rest[:n], '\\') < 0
}

// endOfLine takes what may follow a header or a value.
func (r *reader) endOfLine() bool {
	r.skipBlanks()
	r.skipComment()
	return r.pos == len(r.text) || r.accept('\n')
}

// skipLines skips blanks, comments and line ends.
func (r *reader) skipLines() {
	for {
		r.skipBlanks()
		r.skipComment()
		if !r.accept('\n') {
			return
		}
	}
}

func (r *reader) skipBlanks() {
	for r.pos < len(r.text) && (r.text[r.pos] == ' ' || r.text[r.pos] == '\t') {
		r.pos++
	}
}

func (r *reader) skipComment() {
	if r.peek() != '#' {
		return
	}
	n := strings.IndexByte(r.text[r.pos:], '\n')
	if n < 0 {
		n = len(r.text) - r.pos
	}
	r.pos += n
}

func (r *reader) accept(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	return true
}

// peek is the next byte, 0 at the end: no document that is read contains a 0.
func (r *reader) peek() byte {
	if r.pos < len(r.text) {
		return r.text[r.pos]
	}
	return 0
}
