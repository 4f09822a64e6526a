package proxy

import (
	"bytes"

	"pingap/message"
	"pingap/worker/route"
	"pingap/worker/upstream"
)

// Inside is how requests reach control, which answers what only it knows. To the engine it is an upstream like any other.
type Inside struct {
	location Location
	field    string
	token    []byte
}

// NewInside makes one of an upstream and of what every request shows there: a field and its value.
func NewInside(u *upstream.Upstream, field string, token []byte) *Inside {
	return &Inside{location: Location{Route: &route.Location{}, Upstream: u}, field: field, token: token}
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
	s.location = &s.inside.location
	target := bytes.Clone(s.ex.Request.Target) // a page of thousands of lines follows: this is nothing
	s.ex.Request.SetTarget(m.Target)
	how := c.forward()
	s.ex.Request.SetTarget(target)
	s.ex.UpstreamAddr = "" // nobody else's business
	return how
}

// insideFields are the fields of a request to control: the client's, and the token.
func (s *session) insideFields() *message.Fields {
	s.upFields.CopyFrom(&s.ex.Request.Fields)
	s.upFields.Del(s.inside.field)
	s.upFields.Add(s.inside.field, s.inside.token)
	return &s.upFields
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
