package proxy

import (
	"pingap/message"
	"pingap/plugins"
	"pingap/worker/bodyparts"
	"pingap/worker/http1"
)

// relayMode is how a response body is passed on.
type relayMode uint8

const (
	relayNone    relayMode = iota // there is no body
	relayLength                   // as many bytes as announced
	relayChunked                  // chunked, verbatim
	relayDecoded                  // the data alone, to be framed anew
)

// respState is what the session knows of the response in progress.
type respState struct {
	frame    http1.Framing
	mode     relayMode
	left     int64 // bytes still to come, in relayLength and in decoded bodies with a length
	chunks   http1.Chunked
	chunked  bool            // the client gets a chunked body
	parts    bodyparts.Parts // of a body that can be ended between two of them
	headOnly bool            // the head is written but not sent: it goes with the first bytes of the body
	whole    bool            // the body was there to its end
	filters  []plugins.Filter
	changes  int            // how many of these change the body: all but the Storer's
	store    plugins.Filter // the Storer's; nil for none
	stored   int            // how many of the filters come before or are the Storer's
	flushes  bool           // some of them are Flushers
	muted    bool           // nobody takes the body but the Storer
	work     [2][]byte      // scratch of filters and chunk framing
	out      http1.Out      // how the head is to be written, for a stream
	head     []byte         // the response head, when it was moved out of the read buffer
	front    []byte         // free bytes of the read buffer in front of the body: the head is written there
}

func (r *respState) reset() {
	clear(r.filters)
	work, chunks, filters, head := r.work, r.chunks, r.filters[:0], r.head[:0]
	chunks.Reset()
	*r = respState{work: work, chunks: chunks, filters: filters, head: head}
}

// passInterim passes an interim response on to a client that may know such, and reports whether the
// client took it.
func (c *conn) passInterim() bool {
	s := c.s
	if s.ex.Request.Version < message.HTTP11 {
		return true
	}
	if st := c.stream(); st != nil {
		return st.WriteInterim(&s.ex.Response) == nil
	}
	s.resp.work[0] = http1.AppendInterim(s.resp.work[0][:0], &s.ex.Response)
	return c.write(s.resp.work[0]) == nil
}

// respond takes the final response head: plugins, framing for this client, and the first bytes of the
// body, which came with it. It reports whether the callback is to be left.
func (c *conn) respond(up *upstreamIO, frame http1.Framing) bool {
	s := c.s
	s.resp.frame = frame
	now := message.Now()
	s.ex.UpstreamProcessing = now - up.sent
	s.ex.UpstreamStatus = s.ex.Response.Status
	if c.holdBack(up, frame) {
		return true
	}
	if s.backend.Fails(s.ex.UpstreamStatus) {
		s.tell(failure{}) // before the client hears of it, whose next request may come through another worker
	}
	c.upstreamResponders()
	if s.ex.Response.Status == 101 {
		c.responders()
		s.ex.Status = s.ex.Response.Status
		return c.respondTunnel(up)
	}
	if c.stored(up) {
		return true
	}
	c.responders()
	s.ex.Status = s.ex.Response.Status
	if c.unlikeTunnel(s.ex.Status) {
		up.failed(502, "InvalidHTTPHeader")
		up.fail.blameless = true // what a client asks for is no fault
		return true
	}
	if name := s.backend.Upstream().Sticky(); name != "" {
		c.stick(name)
	}
	if s.server.ServerTiming {
		s.addServerTiming(message.Now())
	}
	s.respondCall()
	c.prepareHead(c.frameFor(s.resp.frame))
	s.headSent, s.resp.headOnly = true, true
	up.stage = stageBody
	if c.relayFirst(up) {
		return true
	}
	if s.resp.headOnly && !s.resp.flushes { // nothing of the body yet: the client need not wait for it
		if c.emit(nil) != nil {
			return up.clientGone()
		}
	}
	return false
}

// relayFirst passes on the bytes that came with the head.
func (c *conn) relayFirst(up *upstreamIO) bool {
	s := c.s
	first := up.unread()
	up.r = up.w
	if s.resp.mode == relayNone {
		if len(first) > 0 && c.unasked(up) != nil {
			return up.failed(502, "InvalidBody")
		}
		if c.emit(nil) != nil {
			return up.clientGone()
		}
		s.resp.whole, up.want = true, wantDone
		return true
	}
	if len(first) == 0 && !s.resp.bodyless() {
		return c.mayHandOver(up) && c.handOver(up)
	}
	return up.takeBody(first)
}

// frameFor decides how the body is framed for the client and passed on.
func (c *conn) frameFor(frame http1.Framing) http1.Out {
	s := c.s
	c.settleUpload()
	s.chooseFilters(frame)
	c.noteLong(frame)
	return c.outFor(frame)
}

// outFor is frameFor behind the choice of filters.
func (c *conn) outFor(frame http1.Framing) http1.Out {
	s := c.s
	r := &s.resp
	out := http1.Out{Length: message.LengthUnknown}
	status := s.ex.Response.Status
	old := s.ex.Request.Version < message.HTTP11
	switch {
	case s.ex.Request.MethodID == message.HEAD || status == 304:
		out.KeepLength = r.changes == 0
	case status == 204 || status < 200:
	case !frame.Chunked && !frame.UntilClose && len(r.filters) == 0:
		r.mode, r.left, out.Length = relayLength, frame.Length, frame.Length
		if c.stream() != nil && s.up != nil && s.up.stream != nil && frame.Length > 0 { // trailers may follow: the end of the stream is the end
			r.mode, r.frame.UntilClose = relayDecoded, true
		}
	case frame.Chunked && len(r.filters) == 0 && !old && !r.parts.Known() && c.stream() == nil:
		r.mode, out.Chunked = relayChunked, true
	case !frame.Chunked && !frame.UntilClose && r.changes == 0:
		r.mode, r.left, out.Length = relayDecoded, frame.Length, frame.Length // the Storer reads along
	default:
		r.mode, r.left = relayDecoded, frame.Length
		r.chunked = !old && c.stream() == nil
		out.Chunked = r.chunked
		s.keepClient = s.keepClient && !old // the end of the connection is the end of the body
	}
	out.Connection = c.connectionField()
	return out
}
