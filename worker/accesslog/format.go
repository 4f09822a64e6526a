package accesslog

import (
	"fmt"
	"os"
	"strings"
	"time"

	"pingap/message"
)

// Format is a compiled format. It is safe for use by many goroutines.
type Format struct {
	parts []part
	tail  string // text after the last part
	clock clock
}

// part is some text and the value after it.
type part struct {
	text  string
	value appender
	name  string             // of a header or cookie
	key   message.ContextKey // of a context value
}

// appender appends one value of an exchange.
type appender func(dst []byte, r *message.Record, p *part, at instant) []byte

// instant is the moment at which a line is made.
type instant struct {
	unix  int64 // milliseconds since 1970
	mono  int64 // on the clock of message.Now
	clock *clock
}

// Append appends the line of one exchange, without a newline, to dst.
func (f *Format) Append(dst []byte, r *message.Record, now time.Time) []byte {
	at := instant{unix: now.UnixMilli(), mono: message.Clock(now), clock: &f.clock}
	for i := range f.parts {
		p := &f.parts[i]
		dst = append(dst, p.text...)
		dst = p.value(dst, r, p, at)
	}
	return append(dst, f.tail...)
}

// predefined returns the text of a predefined format. The stray quote of common is part of it.
func predefined(name string) (string, bool) {
	switch name {
	case "combined":
		return `{remote} "{method} {uri} {proto}" {status} {size_human} "{referer}" "{user_agent}"`, true
	case "common":
		return `{remote} "{method} {uri} {proto}" {status} {size_human}"`, true
	case "short":
		return `{remote} {method} {uri} {proto} {status} {size_human} - {latency}ms`, true
	case "tiny":
		return `{method} {uri} {status} {size_human} - {latency}ms`, true
	}
	return "", false
}

// Compile compiles a predefined name (combined, common, short, tiny, json) or a text with tags. env
// looks up environment variables, once, here; it may be nil. Tags that do not exist give nothing
// and a warning.
func Compile(format string, env func(string) (string, bool)) (*Format, []string) {
	return CompileHiding(format, env, nil)
}

// CompileHiding is Compile for lines that do not show everything.
func CompileHiding(format string, env func(string) (string, bool), hidden *Hidden) (*Format, []string) {
	if format == "json" {
		return jsonFormat(hidden), nil
	}
	if text, ok := predefined(format); ok {
		format = text
	}
	c := compiler{env: env, hidden: hidden, format: &Format{}}
	for {
		open := strings.IndexByte(format, '{')
		if open < 0 {
			break
		}
		c.literal(format[:open])
		format = c.tag(format[open:])
	}
	c.literal(format)
	c.format.tail = string(c.text)
	return c.format, c.warnings
}

// compiler is the state of a compilation.
type compiler struct {
	env      func(string) (string, bool)
	hidden   *Hidden
	format   *Format
	text     []byte // since the last value
	warnings []string
}

// tag compiles the tag at the start of text, or else takes its brace as it is. It returns the rest.
func (c *compiler) tag(text string) string {
	end := 1
	for end < len(text) && isTagByte(text[end]) {
		end++
	}
	if end == len(text) || text[end] != '}' || end == 1 {
		c.warnLookalike(text)
		c.literal(text[:1])
		return text[1:]
	}
	name := text[1:end]
	c.value(name)
	return text[end+1:]
}

func isTagByte(b byte) bool {
	return b|0x20 >= 'a' && b|0x20 <= 'z' || strings.IndexByte("_<>~:$-", b) >= 0
}

// warnLookalike warns of what looks like a tag but holds a byte that no tag may hold.
func (c *compiler) warnLookalike(text string) {
	name, _, closed := strings.Cut(text[1:], "}")
	if closed && name != "" && len(name) < 64 && !strings.ContainsAny(name, "{ \"',") {
		c.warn("{%s} stays as it is: names of tags have letters, _ and - only", name)
	}
}

// value compiles a tag's name.
func (c *compiler) value(name string) {
	p := part{name: name[1:]}
	if p.value = c.hidden.tag(name); p.value != nil {
		c.add(p)
		return
	}
	switch name[0] {
	case '~':
		p.value = appendCookie
	case '>':
		p.value = appendRequestHeader
	case '<':
		p.value = appendResponseHeader
	case '$':
		c.text = appendText(c.text, []byte(c.lookup(name[1:])))
		return
	case ':':
		var ok bool
		if p.key, ok = message.LookupContext(name[1:]); !ok {
			c.warn("unknown tag {%s}", name)
			return
		}
		p.value = appendContext
	default:
		if p.value = plainTag(name); p.value == nil {
			c.warn("unknown tag {%s}", name)
			return
		}
	}
	c.add(p)
}

// add puts the text since the last value before p.
func (c *compiler) add(p part) {
	p.text = string(c.text)
	c.text = c.text[:0]
	c.format.parts = append(c.format.parts, p)
}

// literal takes text as it is; control characters other than tab become blanks, as a line is one line.
func (c *compiler) literal(text string) {
	for i := range len(text) {
		b := text[i]
		if b < ' ' && b != '\t' || b == 0x7f {
			b = ' '
		}
		c.text = append(c.text, b)
	}
}

func (c *compiler) lookup(name string) string {
	if name == "hostname" {
		if host, err := os.Hostname(); err == nil {
			return host
		}
		return ""
	}
	if c.env == nil {
		return ""
	}
	value, _ := c.env(name)
	return value
}

func (c *compiler) warn(format string, args ...any) {
	c.warnings = append(c.warnings, "access log format: "+fmt.Sprintf(format, args...))
}
