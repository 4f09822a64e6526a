package route

import (
	"strconv"

	"pingap/message"
)

// part is a piece of a replacement: literal text, or a variable of host or path that, where there
// is none, is a group of the expression, else its text as written.
type part struct {
	text  string
	name  string // empty: literal
	group int    // -1: none
	plain bool   // without variable and group the text stays
}

// compileTemplate splits a replacement at its references $name and ${name}. match is the rewrite's
// expression; without one (the whole path is replaced) there are no groups and an unknown name
// stays as written, with one an unknown name is empty.
func compileTemplate(text string, match *expression) []part {
	var parts []part
	literal := ""
	for text != "" {
		name, width := reference(text)
		switch {
		case name == "$" && match != nil:
			literal, text = literal+"$", text[width:]
		case width == 0 || name == "$":
			literal, text = literal+text[:1], text[1:]
		default:
			if literal != "" {
				parts = append(parts, part{text: literal})
				literal = ""
			}
			parts = append(parts, part{text: text[:width], name: name, group: groupOf(match, name), plain: match == nil})
			text = text[width:]
		}
	}
	if literal != "" {
		parts = append(parts, part{text: literal})
	}
	return parts
}

// reference reads a reference at the start of text and returns its name and length; "$$" has the
// name "$". The length is 0 where there is none.
func reference(text string) (string, int) {
	if len(text) < 2 || text[0] != '$' {
		return "", 0
	}
	if text[1] == '$' {
		return "$", 2
	}
	start := 1
	if text[1] == '{' {
		start = 2
	}
	end := start
	for end < len(text) && isWord(text[end]) {
		end++
	}
	switch {
	case end == start:
		return "", 0
	case start == 1:
		return text[start:end], end
	case end < len(text) && text[end] == '}':
		return text[start:end], end + 1
	}
	return "", 0
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// groupOf returns the group of a reference by number (without leading zeros) or name, -1 for none.
func groupOf(match *expression, name string) int {
	if match == nil {
		return -1
	}
	if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name && n <= match.regex.NumSubexp() {
		return n
	}
	return match.regex.SubexpIndex(name)
}

// appendTemplate appends a replacement. path and found are the match of the rewrite's expression.
func appendTemplate(dst []byte, template []part, rec *message.Record, path []byte, found []int) []byte {
	for i := range template {
		p := &template[i]
		if p.name == "" {
			dst = append(dst, p.text...)
			continue
		}
		if value, ok := rec.Capture(p.name); ok {
			dst = append(dst, value...)
			continue
		}
		if p.plain {
			dst = append(dst, p.text...)
			continue
		}
		if p.group >= 0 && found[2*p.group] >= 0 {
			dst = append(dst, path[found[2*p.group]:found[2*p.group+1]]...)
		}
	}
	return dst
}
