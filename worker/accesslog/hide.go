package accesslog

import (
	"bytes"
	"slices"
	"strings"

	"pingap/message"
)

// hiddenText stands for a value that is not shown.
const hiddenText = "***"

// Hidden names what lines do not show: values of headers, and of parameters of queries, whatever the case of their names. nil hides nothing. It is never
// changed once a format was compiled with it, and costs only the tags that it concerns.
type Hidden struct {
	headers []string
	query   []string // in small letters
}

// NewHidden returns nil for two empty lists.
func NewHidden(headers, query []string) *Hidden {
	if len(headers)+len(query) == 0 {
		return nil
	}
	h := &Hidden{}
	for _, name := range headers {
		h.headers = append(h.headers, strings.ToLower(name))
	}
	for _, name := range query {
		h.query = append(h.query, strings.ToLower(name))
	}
	return h
}

// Key tells formats apart that hide different things.
func (h *Hidden) Key() string {
	if h == nil {
		return ""
	}
	return "\x00" + strings.Join(h.headers, "\x00") + "\x00\x00" + strings.Join(h.query, "\x00")
}

func (h *Hidden) header(name string) bool {
	return h != nil && slices.Contains(h.headers, strings.ToLower(name))
}

// tag is the appender of a tag that shows something which is hidden, nil for the usual one.
func (h *Hidden) tag(name string) appender {
	if h == nil {
		return nil
	}
	switch {
	case name[0] == '>' && h.header(name[1:]):
		return hideWhere(func(r *message.Record, p *part) bool { _, ok := r.Request.Fields.Lookup(p.name); return ok }, "-")
	case name[0] == '<' && h.header(name[1:]):
		return hideWhere(func(r *message.Record, p *part) bool { _, ok := r.Response.Fields.Lookup(p.name); return ok }, "-")
	case name[0] == '~' && h.header("cookie"):
		return hideWhere(func(r *message.Record, p *part) bool { _, ok := r.Request.Fields.CookieValue(p.name); return ok }, "")
	}
	return h.text(name, appendText, "-")
}

// text is that of a tag of which a part may be hidden: the whole of a header, or parameters of a query. escape writes what is shown.
func (h *Hidden) text(name string, escape func(dst, value []byte) []byte, none string) appender {
	value := textTag(name)
	whole := name == "referer" && h.header("referer") || name == "user_agent" && h.header("user-agent")
	switch {
	case h == nil || value == nil:
		return nil
	case whole:
		return hideWhere(func(r *message.Record, _ *part) bool { return len(value(r)) > 0 }, none)
	case len(h.query) == 0 || name != "uri" && name != "query" && name != "referer":
		return nil
	}
	return func(dst []byte, r *message.Record, _ *part, _ instant) []byte {
		v := value(r)
		if len(v) == 0 {
			return append(dst, none...)
		}
		at := 0
		if name != "query" {
			if at = bytes.IndexByte(v, '?') + 1; at == 0 {
				return escape(dst, v)
			}
		}
		return h.appendQuery(escape(dst, v[:at]), v[at:], escape)
	}
}

// hideWhere shows that a value is there, and no more.
func hideWhere(there func(*message.Record, *part) bool, none string) appender {
	return func(dst []byte, r *message.Record, p *part, _ instant) []byte {
		if there(r, p) {
			return append(dst, hiddenText...)
		}
		return append(dst, none...)
	}
}

// appendQuery appends a query, with *** for the values of parameters that are hidden.
func (h *Hidden) appendQuery(dst, query []byte, escape func(dst, value []byte) []byte) []byte {
	shown := 0 // up to here
	for at := 0; at < len(query); {
		end := len(query)
		if n := bytes.IndexAny(query[at:], "&;#"); n >= 0 {
			end = at + n
		}
		if equals := bytes.IndexByte(query[at:end], '='); equals >= 0 && h.named(query[at:at+equals]) {
			dst = append(escape(dst, query[shown:at+equals+1]), hiddenText...)
			shown = end
		}
		at = end + 1
	}
	return escape(dst, query[shown:])
}

// named says whether the value of a parameter is hidden. Its name may be written with escapes.
func (h *Hidden) named(name []byte) bool {
	for _, n := range h.query {
		if isNamed(name, n) {
			return true
		}
	}
	return false
}

func isNamed(name []byte, lower string) bool {
	n := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) && isHex(name[i+1]) && isHex(name[i+2]) {
			c = hexValue(name[i+1])<<4 | hexValue(name[i+2])
			i += 2
		} else if c == '+' {
			c = ' '
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if n == len(lower) || lower[n] != c {
			return false
		}
		n++
	}
	return n == len(lower)
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
