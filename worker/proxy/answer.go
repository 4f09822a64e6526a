package proxy

import (
	"errors"

	"go.uber.org/zap"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http1"
)

// answer sends a response made by a plugin. It closes what the answer owns, sent or not.
func (c *conn) answer(a *plugins.Answer) {
	if a.Inside != nil {
		c.pass(a.Inside)
		return
	}
	if a.File == nil && a.Stream == nil {
		c.answerWith(a)
		return
	}
	defer c.closeAnswer(a)
	c.answerWith(a)
}

// closeAnswer closes what an answer owns.
func (c *conn) closeAnswer(a *plugins.Answer) {
	var err error
	if a.File != nil {
		err = a.File.File.Close()
	}
	if a.Stream != nil {
		err = errors.Join(err, a.Stream.Close())
	}
	if err != nil {
		c.p.log.Warn("closing an answer", zap.String("location", c.s.ex.Location), zap.Error(err))
	}
}

func (c *conn) answerWith(a *plugins.Answer) {
	s := c.s
	if s.nobody && s.rehearsal == nil || s.headSent || s.clientGone {
		s.keepClient = false
		return
	}
	if c.unlikeTunnel(a.Status) {
		c.answerError(502, "HTTPStatus", noTunnel)
		return
	}
	if s.rehearsal != nil {
		s.rehearsal.answered(a.Status, "")
		return
	}
	resp := s.setStatus(a.Status)
	if s.call.tells(a.Status) {
		c.answerCall(resp, "")
		return
	}
	resp.Fields.AppendList(a.Fields)
	if !a.Content && !resp.Fields.Has(message.CacheControl) {
		resp.Fields.Append(message.CacheControl, nameCacheControl, valueNoCache)
	}
	if a.Content {
		c.respondLocally(a)
	}
	if len(s.resp.filters) > 0 || a.File != nil || a.Stream != nil {
		c.sendContent(resp, a)
		return
	}
	if a.Wire != nil && c.sendWire(resp, a) {
		return
	}
	c.sendLocal(resp, a.Body)
}

// sendWire sends an answer from the bytes that are kept of it, with what the location's plugins appended. It reports false where they do not fit.
func (c *conn) sendWire(resp *message.Response, a *plugins.Answer) bool {
	s := c.s
	if resp.Status != a.Status || c.stream() != nil || s.ex.Request.MethodID != message.GET {
		return false
	}
	c.completeHead(resp)
	rest, ok := resp.Fields.Behind(a.Fields)
	if !ok || c.connectionField() != "" {
		return false
	}
	wire, head := a.Wire.Load()
	if wire == nil {
		wire, head = http1.Whole(a.Status, a.Fields, a.Body)
		a.Wire.Store(wire, head)
	}
	if len(rest) > 0 {
		s.out = http1.AppendRest(append(s.out[:0], wire[:head]...), rest)
		return c.sent(c.writeJoined(a.Body), a.Body)
	}
	return c.sent(c.write(wire), a.Body)
}

// sent notes how writing a whole answer ended, and that it did.
func (c *conn) sent(err error, body []byte) bool {
	c.s.headSent = true
	if err != nil {
		c.s.clientGone = true
		return true
	}
	c.s.ex.ResponseBody = int64(len(body))
	return true
}

// Constant names and values of fields that are written often.
var (
	nameCacheControl = []byte("Cache-Control")
	valueNoCache     = []byte("private, no-cache")
	valueNoStore     = []byte("private, no-store")
	nameContentType  = []byte("Content-Type")
	nameDate         = []byte("Date")
	nameServer       = []byte("Server")
	valueServer      = []byte("Pingap")
	nameErrorType    = []byte("X-Pingap-EType")
)

// sendLocal sends a response made here, with its whole body.
func (c *conn) sendLocal(resp *message.Response, body []byte) {
	s := c.s
	if s.headSent {
		s.keepClient = false
		return
	}
	c.completeHead(resp)
	out := http1.Out{Length: int64(len(body)), Connection: c.connectionField()}
	if resp.Status == 204 || resp.Status == 304 || resp.Status < 200 {
		body, out.Length = nil, message.LengthUnknown
	}
	c.prepareHead(out)
	if s.ex.Request.MethodID == message.HEAD {
		body = nil
	}
	c.sent(c.sendHead(body, true), body)
}

// completeHead gives the head of an answer made here what every one has.
func (c *conn) completeHead(resp *message.Response) {
	c.settleBody()
	if !resp.Fields.Has(message.Date) { // a stored response has its own
		resp.Fields.Append(message.Date, nameDate, *c.p.date.Load())
	}
	resp.Reason = http1.Reason(resp.Status)
}

// writeJoined sends the head in s.out with the body behind it as one write.
func (c *conn) writeJoined(body []byte) error {
	s := c.s
	if joined := s.inFront(body); joined != nil {
		return c.write(joined)
	}
	if len(body) > joinMax {
		return c.write2(s.out, body)
	}
	s.out = append(s.out, body...)
	return c.write(s.out)
}

// inFront writes the head in s.out right in front of body, if body is what follows the free bytes of the
// read buffer and the head fits there. It returns both, or nil.
func (s *session) inFront(body []byte) []byte {
	front := s.resp.front
	at := len(front) - len(s.out)
	if at < 0 || len(body) == 0 || len(front) == cap(front) || &front[:len(front)+1][len(front)] != &body[0] {
		return nil
	}
	copy(front[at:], s.out)
	return front[at : len(front)+len(body)]
}

// connectionField is the Connection field for the response to this client.
func (c *conn) connectionField() string {
	if !c.keepAfter() {
		return "close"
	}
	if c.s.ex.Request.Version == message.HTTP10 {
		return "keep-alive"
	}
	return ""
}

// settleBody decides what an answer that does not need the request body means for the rest of it: a
// body that is still coming ends the connection, which is then closed without a reset.
func (c *conn) settleBody() {
	if !c.s.reqWhole && (c.s.reqFrame.Chunked || c.s.reqFrame.Length != 0) {
		c.s.keepClient = false
		c.linger = true
	}
}

// answerError sends an error page. text is for people: it never holds bytes of the request.
func (c *conn) answerError(status int, kind, text string) {
	s := c.s
	s.ex.ErrorType = kind
	if s.rehearsal != nil {
		s.rehearsal.answered(status, text)
		return
	}
	if s.headSent || s.clientGone {
		s.keepClient, s.broken = false, true
		return
	}
	if status >= 400 && status != 404 && status != 429 {
		s.keepClient = s.keepClient && status >= 500 && s.reqWhole
	}
	resp := s.setStatus(status)
	if s.call.kind != callNone {
		resp.Fields.Append(message.Unknown, nameErrorType, []byte(kind))
		c.answerCall(resp, kind)
		return
	}
	contentType, body := s.site.ErrorPage.Render(status, kind, text)
	resp.Fields.Append(message.ContentType, nameContentType, contentType)
	resp.Fields.Append(message.Unknown, nameErrorType, []byte(kind))
	resp.Fields.Append(message.Server, nameServer, valueServer)
	resp.Fields.Append(message.CacheControl, nameCacheControl, valueNoStore)
	c.sendLocal(resp, body)
}

// answerCall sends an answer of ours to a call of gRPC.
func (c *conn) answerCall(resp *message.Response, text string) {
	c.s.callAnswer(resp, text)
	resp.Fields.Append(message.Server, nameServer, valueServer)
	resp.Fields.Append(message.CacheControl, nameCacheControl, valueNoStore)
	c.sendLocal(resp, nil)
}
