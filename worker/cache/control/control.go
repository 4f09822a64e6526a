package control

import (
	"bytes"
	"strings"

	"pingap/message"
)

// MaxSeconds is the largest number of seconds that is told apart: more means this (RFC 9111 section 1.2.2).
const MaxSeconds = 1<<31 - 1

// None is a number of seconds that was not given.
const None = -1

// Control is the Cache-Control of a response.
type Control struct {
	Present                            bool // there is such a field
	NoStore, NoCache, Private, Public  bool
	MustRevalidate, ProxyRevalidate    bool
	MustUnderstand, NoTransform        bool
	MaxAge, SMaxAge                    int64    // seconds; None where not given. What cannot be read is 0: stale
	StaleWhileRevalidate, StaleIfError int64    // seconds; None where not given
	NoCacheFields, PrivateFields       []string // of no-cache="..." and private="...", as they came
}

// Directives is the Cache-Control of a request; Pragma where that has none.
type Directives struct {
	NoStore, NoCache, OnlyIfCached bool
	MaxAge, MinFresh               int64 // seconds; None where not given
	MaxStale                       int64 // seconds; None where not given, MaxSeconds for any
}

// Parse reads Cache-Control from the fields of a response. Of a number given twice the lower one counts.
func Parse(fields []message.Field) Control {
	c := Control{MaxAge: None, SMaxAge: None, StaleWhileRevalidate: None, StaleIfError: None}
	for i := range fields {
		if fields[i].ID != message.CacheControl {
			continue
		}
		c.Present = true
		for rest := fields[i].Value; len(rest) > 0; {
			var d directive
			d, rest = nextDirective(rest)
			c.take(d)
		}
	}
	return c
}

func (c *Control) take(d directive) {
	switch {
	case d.is("no-store"):
		c.NoStore = true
	case d.is("no-cache"):
		if names := d.fields(); names != nil {
			c.NoCacheFields = append(c.NoCacheFields, names...)
			return
		}
		c.NoCache = true
	case d.is("private"):
		if names := d.fields(); names != nil {
			c.PrivateFields = append(c.PrivateFields, names...)
			return
		}
		c.Private = true
	case d.is("public"):
		c.Public = true
	case d.is("must-revalidate"):
		c.MustRevalidate = true
	case d.is("proxy-revalidate"):
		c.ProxyRevalidate = true
	case d.is("must-understand"):
		c.MustUnderstand = true
	case d.is("max-age"):
		c.MaxAge = lower(c.MaxAge, d.seconds(0))
	case d.is("s-maxage"):
		c.SMaxAge = lower(c.SMaxAge, d.seconds(0))
	case d.is("stale-while-revalidate"):
		c.StaleWhileRevalidate = lower(c.StaleWhileRevalidate, d.seconds(0))
	case d.is("stale-if-error"):
		c.StaleIfError = lower(c.StaleIfError, d.seconds(0))
	}
}

// NoDirectives are those of a request that has none.
func NoDirectives() Directives { return Directives{MaxAge: None, MinFresh: None, MaxStale: None} }

// ParseDirectives reads what a request asks of caches.
func ParseDirectives(fields []message.Field) Directives {
	d := NoDirectives()
	control, pragma := false, false
	for i := range fields {
		switch fields[i].ID {
		case message.CacheControl:
			control = true
			for rest := fields[i].Value; len(rest) > 0; {
				var one directive
				one, rest = nextDirective(rest)
				d.take(one)
			}
		case message.Pragma:
			for rest := fields[i].Value; len(rest) > 0; {
				var one directive
				one, rest = nextDirective(rest)
				pragma = pragma || one.is("no-cache")
			}
		}
	}
	d.NoCache = d.NoCache || pragma && !control // RFC 9111 section 5.4
	return d
}

func (r *Directives) take(d directive) {
	switch {
	case d.is("no-store"):
		r.NoStore = true
	case d.is("no-cache"):
		r.NoCache = true
	case d.is("only-if-cached"):
		r.OnlyIfCached = true
	case d.is("max-age"):
		r.MaxAge = lower(r.MaxAge, d.seconds(0))
	case d.is("min-fresh"):
		r.MinFresh = d.seconds(MaxSeconds)
	case d.is("max-stale"):
		r.MaxStale = MaxSeconds
		if d.hasValue {
			r.MaxStale = d.seconds(0)
		}
	}
}

// lower is the lower of two numbers of seconds, the other one where old was not given.
func lower(old, n int64) int64 {
	if old == None {
		return n
	}
	return min(old, n)
}

// directive is one element of Cache-Control: a name, and a value that was a token or a quoted text (then without its quotes; escapes stay).
type directive struct {
	name, value []byte
	hasValue    bool
	bad         bool // a quoted text that does not end, or bytes behind the value
}

func (d *directive) is(name string) bool { return message.EqualFold(d.name, name) }

// seconds is the value as delta-seconds; otherwise where it is none.
func (d *directive) seconds(otherwise int64) int64 {
	n, ok := ParseSeconds(d.value)
	if !ok || d.bad {
		return otherwise
	}
	return n
}

// fields are the names in the value, nil without any: the directive then means the whole response.
func (d *directive) fields() []string {
	if d.bad {
		return nil
	}
	var names []string
	for name := range strings.SplitSeq(string(d.value), ",") {
		name = strings.Trim(name, " \t")
		if name == "" {
			continue
		}
		if !message.ValidToken([]byte(name)) {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// nextDirective takes the first element of a list. Commas inside quotes are none.
func nextDirective(list []byte) (d directive, rest []byte) {
	list = bytes.TrimLeft(list, " \t,")
	n := 0
	for n < len(list) && message.IsToken(list[n]) {
		n++
	}
	d.name, list = list[:n], list[n:]
	if len(list) > 0 && list[0] == '=' {
		d.hasValue = true
		list = list[1:]
		if len(list) > 0 && list[0] == '"' {
			d.value, list, d.bad = quoted(list[1:])
		} else {
			n = 0
			for n < len(list) && list[n] != ',' && list[n] != ' ' && list[n] != '\t' {
				n++
			}
			d.value, list = list[:n], list[n:]
		}
	}
	return d.end(list)
}

// end skips to behind the next comma. What stands before it makes the directive one that cannot be read.
func (d directive) end(list []byte) (directive, []byte) {
	open := false
	for i, c := range list {
		switch {
		case c == '"':
			open = !open
			d.bad = true
		case c == ',' && !open:
			return d, list[i+1:]
		case c != ' ' && c != '\t':
			d.bad = true
		}
	}
	return d, nil
}

// quoted takes a quoted text whose opening quote is gone.
func quoted(text []byte) (value, rest []byte, bad bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i], text[i+1:], false
		}
	}
	return text, nil, true
}

// ParseSeconds reads delta-seconds: digits only. More than MaxSeconds is that.
func ParseSeconds(text []byte) (int64, bool) {
	if len(text) == 0 {
		return 0, false
	}
	n := int64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), MaxSeconds)
	}
	return n, true
}
