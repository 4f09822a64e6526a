package proxy

import (
	"strconv"

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
	filters  []plugins.Filter
	work     [2][]byte // scratch of filters and chunk framing
	out      http1.Out // how the head is to be written, for a stream
	head     []byte    // the response head, when it was moved out of the read buffer
	front    []byte    // free bytes of the read buffer in front of the body: the head is written there
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
	s.upstreamSteps()
	s.ex.Status = s.ex.Response.Status
	if s.ex.Response.Status == 101 {
		return c.respondTunnel(up)
	}
	if c.unlikeTunnel(s.ex.Status) {
		up.failed(502, "InvalidHTTPHeader")
		up.fail.blameless = true // what a client asks for is no fault
		return true
	}
	if name := s.backend.Upstream().Sticky(); name != "" {
		c.stick(name)
	}
	if s.server.ServerTiming {
		s.addServerTiming(now)
	}
	s.respondCall()
	c.prepareHead(c.frameFor(s.resp.frame))
	s.headSent, s.resp.headOnly = true, true
	up.stage = stageBody
	if c.relayFirst(up) {
		return true
	}
	if s.resp.headOnly { // nothing of the body yet: the client need not wait for it
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
		up.want = wantDone
		return true
	}
	if len(first) == 0 && !(s.resp.mode == relayLength && s.resp.left == 0) {
		return c.mayHandOver(up) && c.handOver(up)
	}
	return up.takeBody(first)
}

// frameFor decides how the body is framed for the client and passed on.
func (c *conn) frameFor(frame http1.Framing) http1.Out {
	s := c.s
	r := &s.resp
	out := http1.Out{Length: message.LengthUnknown}
	c.settleUpload()
	s.chooseFilters(frame)
	c.noteLong(frame)
	status := s.ex.Response.Status
	old := s.ex.Request.Version < message.HTTP11
	switch {
	case s.ex.Request.MethodID == message.HEAD || status == 304:
		out.KeepLength = len(r.filters) == 0
	case status == 204 || status < 200:
	case !frame.Chunked && !frame.UntilClose && len(r.filters) == 0:
		r.mode, r.left, out.Length = relayLength, frame.Length, frame.Length
		if c.stream() != nil && s.up.stream != nil && frame.Length > 0 { // trailers may follow: the end of the stream is the end
			r.mode, r.frame.UntilClose = relayDecoded, true
		}
	case frame.Chunked && len(r.filters) == 0 && !old && !r.parts.Known() && c.stream() == nil:
		r.mode, out.Chunked = relayChunked, true
	default:
		r.mode, r.left = relayDecoded, frame.Length
		r.chunked = !old && c.stream() == nil
		out.Chunked = r.chunked
		s.keepClient = s.keepClient && !old // the end of the connection is the end of the body
	}
	out.Connection = c.connectionField()
	return out
}

// chooseFilters asks the plugins of the location which of them want to see the body.
func (s *session) chooseFilters(frame http1.Framing) {
	chain := s.location.Plugins
	if chain == nil || len(chain.Body) == 0 || frame.Length == 0 && !frame.Chunked && !frame.UntilClose &&
		s.ex.Request.MethodID != message.HEAD {
		return
	}
	for _, i := range chain.Body {
		if f := i.BodyFilterer.BodyFilter(&s.ex); f != nil {
			s.resp.filters = append(s.resp.filters, f)
		}
	}
}

// addServerTiming adds the Server-Timing field (W3C Server Timing) with what is known so far.
func (s *session) addServerTiming(now int64) {
	const ms = 1e6
	connect, processing := max(s.ex.UpstreamConnect, 0)/ms, max(s.ex.UpstreamProcessing, 0)/ms
	v := append(s.resp.work[0][:0], "upstream.connect;dur="...)
	v = strconv.AppendInt(v, connect, 10)
	v = append(v, ", upstream.processing;dur="...)
	v = strconv.AppendInt(v, processing, 10)
	if connect+processing > 0 {
		v = append(v, ", upstream;dur="...)
		v = strconv.AppendInt(v, connect+processing, 10)
	}
	v = append(v, ", total;dur="...)
	v = strconv.AppendInt(v, (now-s.ex.Start)/ms, 10)
	s.resp.work[0] = v
	s.ex.Response.Fields.Set("Server-Timing", v)
}
