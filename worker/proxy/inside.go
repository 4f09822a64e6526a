package proxy

import (
	"bytes"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// Inside is how requests reach control, which answers what only it knows. To the engine it is an upstream like any other: two, as
// pages of metrics and what people do have other limits.
type Inside struct {
	pages, admin Location
	fields       InsideFields
	token        []byte
}

// InsideFields names the fields of requests to control that are set here, whatever a client sends: who asks; the client's address, the scheme of its
// request and the path taken from the front of that, of requests that plugins pass on.
type InsideFields struct{ Token, Client, Scheme, Prefix string }

// NewInside makes one of two upstreams and of what every request shows there.
func NewInside(pages, admin *upstream.Upstream, fields InsideFields, token []byte) *Inside {
	return &Inside{pages: Location{Route: &route.Location{}, Upstream: pages}, admin: Location{Route: &route.Location{}, Upstream: admin},
		fields: fields, token: token}
}

// Metrics is the page of metrics of a server. It comes before all locations, as a request that has none must find it, and asks no plugin.
type Metrics struct {
	// Path is its path, exactly. Target is the page that control knows it by.
	Path   string
	Target []byte
	// Allow are the addresses that may see it; nil for all.
	Allow *route.Trusted
}

// Constant fields of answers about control.
var (
	nameRetryAfter  = []byte("Retry-After")
	valueRetryAfter = []byte("5") // seconds: a control process that died is back by then
	nameAllow       = []byte("Allow")
	valueAllow      = []byte("GET, HEAD")
)

// showMetrics passes a request on to control. The log has it as it came.
func (c *conn) showMetrics(m *Metrics) served {
	s := c.s
	if m.Allow != nil && !m.Allow.Holds(&s.ex.Record) {
		c.answerError(403, "HTTPStatus", "")
		return answered
	}
	if id := s.ex.Request.MethodID; id != message.GET && id != message.HEAD || s.reqFrame.Upgrade || s.bodyAtLeast() > 0 || s.reqFrame.Chunked {
		c.answerPlain(405, nameAllow, valueAllow, "HTTPStatus")
		return answered
	}
	if s.inside = c.p.inside.Load(); s.inside == nil {
		c.answerAway("ConnectError")
		return answered
	}
	s.location = &s.inside.pages
	target := bytes.Clone(s.ex.Request.Target) // a page of thousands of lines follows: this is nothing
	s.ex.Request.SetTarget(m.Target)
	how := c.forward()
	s.ex.Request.SetTarget(target)
	s.ex.UpstreamAddr = "" // nobody else's business
	return how
}

// pass passes a request on to control, whatever its method and body, for a plugin of its location. The log has it as it came.
func (c *conn) pass(in *plugins.Inside) {
	s := c.s
	if s.reqFrame.Upgrade || s.call.kind != callNone {
		c.answerError(404, "HTTPStatus", "")
		return
	}
	if s.inside = c.p.inside.Load(); s.inside == nil {
		c.answerAway("ConnectError")
		return
	}
	s.prefix = in.Prefix
	located := s.location
	defer func() { s.location = located }() // its limits and counts are kept
	s.location = &s.inside.admin
	target := bytes.Clone(s.ex.Request.Target)
	s.ex.Request.SetTarget(in.Target)
	c.forward()
	s.ex.Request.SetTarget(target)
	s.ex.UpstreamAddr = "" // nobody else's business
}

// insideFields are the fields of a request to control: the client's, and what it cannot say itself.
func (s *session) insideFields() *message.Fields {
	to, names := &s.upFields, &s.inside.fields
	to.CopyFrom(&s.ex.Request.Fields)
	for _, name := range []string{names.Token, names.Client, names.Scheme, names.Prefix} {
		to.Del(name)
	}
	to.Add(names.Token, s.inside.token)
	if s.location == &s.inside.admin {
		to.Add(names.Client, s.ex.ClientIPText)
		to.Add(names.Scheme, []byte(s.ex.Scheme()))
		to.Add(names.Prefix, []byte(s.prefix))
	}
	return to
}

// answerAway says that control cannot be asked at the moment.
func (c *conn) answerAway(kind string) {
	c.answerPlain(503, nameRetryAfter, valueRetryAfter, kind)
}

// answerPlain answers with a status, a field and an empty body.
func (c *conn) answerPlain(status int, name, value []byte, kind string) {
	s := c.s
	s.ex.ErrorType = kind
	if s.rehearsal != nil {
		s.rehearsal.answered(status, "")
		return
	}
	if s.headSent || s.clientGone {
		s.keepClient, s.broken = false, true
		return
	}
	resp := s.setStatus(status)
	resp.Fields.Append(message.Unknown, name, value)
	resp.Fields.Append(message.Server, nameServer, valueServer)
	resp.Fields.Append(message.CacheControl, nameCacheControl, valueNoStore)
	c.sendLocal(resp, nil)
}
