package cors

import (
	"regexp"

	"pingap/message"
	"pingap/plugins"
)

const (
	fieldOrigin      = "Access-Control-Allow-Origin"
	fieldCredentials = "Access-Control-Allow-Credentials"
)

// sharing is an instance.
type sharing struct {
	path   *regexp.Regexp // nil for all
	mirror bool           // the origin that asks is the one allowed
	origin []byte         // else this one
	fields []field        // beside the origin
	answer *plugins.Answer
	plain  *plugins.Answer // to a question without origin, where that is mirrored
}

// field is one that is the same in all responses.
type field struct {
	name  string
	value []byte
}

// Decide answers OPTIONS, with an origin or without one, and lets everything else go on.
func (s *sharing) Decide(e *plugins.Exchange) plugins.Decision {
	if e.Request.MethodID != message.OPTIONS || !s.hasPath(e) {
		return plugins.Continue
	}
	if !s.mirror {
		return plugins.Respond(s.answer, "preflight")
	}
	origin := e.Request.Fields.Get(message.Origin)
	if !mirrored(origin) {
		return plugins.Respond(s.plain, "preflight without origin")
	}
	return plugins.Respond(s.buildAnswer(string(origin)), "preflight")
}

// buildAnswer makes the answer to OPTIONS for an origin, empty for none.
func (s *sharing) buildAnswer(origin string) *plugins.Answer {
	a := &plugins.Answer{Status: 204}
	if origin != "" {
		a.AddField(fieldOrigin, origin)
		for _, f := range s.fields {
			a.AddField(f.name, string(f.value))
		}
	}
	if s.mirror {
		a.AddField("Vary", "Origin")
	}
	return a
}

// Response adds the fields to the response to a request that has an origin, in place of those of the upstream. Where the origin is mirrored every response
// says that it depends on it, or a cache would give one page's response to another.
func (s *sharing) Response(e *plugins.Exchange) {
	if !s.hasPath(e) {
		return
	}
	fields := &e.Response.Fields
	if s.mirror {
		vary(fields)
	}
	origin := e.Request.Fields.Get(message.Origin)
	if len(origin) == 0 {
		return
	}
	switch {
	case !s.mirror:
		fields.Set(fieldOrigin, s.origin)
	case mirrored(origin):
		fields.Set(fieldOrigin, origin)
	default:
		return
	}
	for i := range s.fields {
		fields.Set(s.fields[i].name, s.fields[i].value)
	}
}

func (s *sharing) hasPath(e *plugins.Exchange) bool {
	return s.path == nil || s.path.Match(e.Request.NormalPath())
}

// mirrored reports whether an origin may be repeated: a serialized origin is visible ASCII (RFC 6454 section 6.2), and short.
func mirrored(origin []byte) bool {
	const most = 512 // a host has 253 at most
	return len(origin) <= most && message.ValidTarget(origin)
}

// vary adds Origin to Vary, unless it is there or the response varies by everything.
func vary(fields *message.Fields) {
	list := fields.List()
	for i := range list {
		if list[i].ID == message.Vary && names(list[i].Value, "Origin") {
			return
		}
	}
	fields.Add("Vary", []byte("Origin"))
}

// names reports whether a value of Vary has a name, or "*".
func names(value []byte, name string) bool {
	for len(value) > 0 {
		var item []byte
		item, value = next(value)
		if string(item) == "*" || message.EqualFold(item, name) {
			return true
		}
	}
	return false
}
