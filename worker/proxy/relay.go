package proxy

import (
	"errors"

	"pingap/message"
	"pingap/worker/http1"
)

// errBadBody is a response body that breaks its framing. What has been sent is cut off.
var errBadBody = errors.New("response body breaks its framing")

// errFilter is a filter that failed.
var errFilter = errors.New("a filter of the response body failed")

// errNobody ends a body that nobody wants any more.
var errNobody = errors.New("nobody wants the response body")

// relay passes bytes of the response body on. done tells that the body is complete. An error other
// than errBadBody means that the client does not take it.
func (c *conn) relay(up *upstreamIO, p []byte) (done bool, err error) {
	r := &c.s.resp
	switch r.mode {
	case relayLength:
		if p, err = c.cutExtra(up, p); err != nil {
			return false, err
		}
		return r.left == 0, c.emit(p)
	case relayChunked:
		pass, used, broken := r.chunks.Pass(p)
		if broken != nil {
			return false, errBadBody
		}
		if used < len(p) {
			if err := c.unasked(up); err != nil {
				return false, err
			}
		}
		if err := c.emit(p[:pass]); err != nil || !r.chunks.Done() {
			return false, err
		}
		return true, c.emitRest(r.chunks.Trailer())
	}
	return c.relayDecoded(up, p)
}

// cutExtra takes the bytes of p that belong to a body with a length.
func (c *conn) cutExtra(up *upstreamIO, p []byte) ([]byte, error) {
	r := &c.s.resp
	if int64(len(p)) > r.left {
		if err := c.unasked(up); err != nil {
			return nil, err
		}
		p = p[:r.left]
	}
	r.left -= int64(len(p))
	return p, nil
}

// unasked notes that the upstream sent bytes behind the response. The connection will not be used
// again. If it had been used before, and the bytes came at once with the head, then the response
// itself may be one that nobody asked for, in front of the right one: it is refused.
func (c *conn) unasked(up *upstreamIO) error {
	up.extra = true
	if c.s.ex.UpstreamReused && c.s.resp.headOnly {
		return errBadBody
	}
	return nil
}

// relayDecoded takes the data out of p, through the filters, and frames it anew.
func (c *conn) relayDecoded(up *upstreamIO, p []byte) (done bool, err error) {
	r := &c.s.resp
	if r.frame.UntilClose {
		return false, c.filter(p)
	}
	if !r.frame.Chunked {
		if p, err = c.cutExtra(up, p); err != nil {
			return false, err
		}
		if err := c.filter(p); err != nil || r.left > 0 {
			return false, err
		}
		r.whole = true
		return true, c.relayEnd()
	}
	for len(p) > 0 && !r.chunks.Done() {
		data, used, broken := r.chunks.Next(p)
		if broken != nil {
			return false, errBadBody
		}
		p = p[used:]
		if len(data) > 0 {
			if err := c.filter(data); err != nil {
				return false, err
			}
		}
	}
	if !r.chunks.Done() {
		return false, nil
	}
	r.whole, up.extra = true, len(p) > 0
	return true, c.relayEnd()
}

// relayEnd ends a decoded body: filters give out what they hold, and the last chunk follows.
func (c *conn) relayEnd() error {
	r := &c.s.resp
	var last []byte
	if len(r.filters) > 0 {
		var err error
		if last, err = c.lastOfFilters(); err != nil || r.muted {
			return err
		}
	}
	if c.s.call.encode {
		if err := c.deliver(last); err != nil {
			return err
		}
		if err := c.endCall(); err != nil {
			return err
		}
		last = nil
	}
	if r.chunked && c.stream() == nil {
		return c.endChunked(last)
	}
	if err := c.deliver(last); err != nil {
		return err
	}
	if st := c.stream(); st != nil {
		return c.endStream(st)
	}
	if r.headOnly {
		return c.emit(nil)
	}
	return nil
}

// endChunked sends the last data with the last chunk behind it as one write: often they are the whole body.
func (c *conn) endChunked(data []byte) error {
	r := &c.s.resp
	at := len(r.filters) % 2 // data may lie in the other one
	out := r.work[at][:0]
	if len(data) > 0 {
		c.s.ex.ResponseBody += int64(len(data))
		out = http1.AppendChunk(out, data)
	}
	r.work[at] = http1.AppendLastChunk(out, c.s.trailers())
	return c.emitRest(r.work[at])
}

// endCall sends the last frame of an answer of gRPC-web.
func (c *conn) endCall() error {
	data := c.s.encodeTrailers()
	if len(data) == 0 {
		return nil
	}
	if !c.s.resp.chunked {
		return c.emit(data)
	}
	c.s.ex.ResponseBody += int64(len(data))
	c.s.resp.work[0] = http1.AppendChunk(c.s.resp.work[0][:0], data)
	return c.emitRest(c.s.resp.work[0])
}

// trailers are those of the upstream's response; nil for none. Those of a filtered body are dropped: a digest among them
// would no longer be true.
func (s *session) trailers() *message.Fields {
	r := &s.resp
	if s.call.trailers != nil && !s.call.encode {
		return s.call.trailers
	}
	if r.changes > 0 || s.call.encode {
		return nil
	}
	if s.up != nil && s.up.stream != nil {
		return s.up.stream.Trailers()
	}
	if raw := r.chunks.Trailer(); len(raw) > 2 {
		s.upFields.Reset() // the request has gone
		http1.ParseTrailer(raw, &s.upFields)
		return &s.upFields
	}
	return nil
}

// emit sends bytes of the body, with the head before them if that has not gone out yet.
func (c *conn) emit(p []byte) error {
	c.s.ex.ResponseBody += int64(len(p))
	return c.emitRest(p)
}

// emitRest sends bytes that do not count as body: chunk framing and trailers.
func (c *conn) emitRest(p []byte) error {
	if c.s.resp.muted {
		return nil
	}
	err := c.send(p)
	if err != nil && c.fillsOn() {
		return nil
	}
	return err
}

// send sends bytes, with the head before them if that has not gone out yet.
func (c *conn) send(p []byte) error {
	s := c.s
	if s.resp.headOnly {
		s.resp.headOnly = false
		return c.sendHead(p, s.resp.complete())
	}
	if len(p) == 0 {
		return nil
	}
	if st := c.stream(); st != nil {
		if s.resp.complete() {
			_, err := st.WriteLast(p)
			return err
		}
		_, err := st.Write(p)
		return err
	}
	return c.write(p)
}

// relayFailed handles an error of passing the body on.
func (up *upstreamIO) relayFailed(err error) bool {
	if err != errBadBody && err != errFilter {
		return up.clientGone()
	}
	up.failed(502, "InvalidBody")
	up.fail.blameless = err == errFilter
	return true
}
