package proxy

import (
	"pingap/message"
	"pingap/plugins"
	"pingap/worker/http1"
)

// The filters of a response's body, in the order in which it passes them: those of instances at upstream_response, the Storer's, those of
// the location. Behind the Storer's are only those that concern this client.

// addFilters asks instances which of them want to see the body.
func (s *session) addFilters(list []*plugins.Instance) {
	for _, i := range list {
		begin := s.stopwatch()
		if f := i.BodyFilterer.BodyFilter(&s.ex); f != nil {
			s.addFilter(f)
			s.resp.changes++
		}
		s.spent(i, begin)
	}
}

func (s *session) addFilter(f plugins.Filter) {
	r := &s.resp
	r.filters = append(r.filters, f)
	if _, flushes := f.(plugins.Flusher); flushes {
		r.flushes = true
	}
}

// chooseFilters asks the plugins of the location which of them want to see the body.
func (s *session) chooseFilters(frame http1.Framing) {
	if s.location == nil {
		return
	}
	chain := s.location.Plugins
	if chain == nil || len(chain.Body) == 0 || s.nobody || s.bodyless(frame) {
		return
	}
	s.addFilters(chain.Body)
}

// bodyless reports whether a response has no bytes that a filter could see. With HEAD they are asked all the same, for the sake of the head.
func (s *session) bodyless(frame http1.Framing) bool {
	return frame.Length == 0 && !frame.Chunked && !frame.UntilClose && s.ex.Request.MethodID != message.HEAD
}

// bodyless reports whether the body is complete with nothing in it.
func (r *respState) bodyless() bool {
	return r.left == 0 && (r.mode == relayLength || r.mode == relayDecoded && !r.frame.Chunked && !r.frame.UntilClose)
}

// inUse are the filters that the body still passes.
func (r *respState) inUse() []plugins.Filter {
	if r.muted {
		return r.filters[:r.stored]
	}
	return r.filters
}

// filter sends data through the filters in order, and what comes out to the client.
func (c *conn) filter(data []byte) error {
	r := &c.s.resp
	if (r.muted || c.s.nobody) && !r.wanted(c.s.nobody) {
		return errNobody
	}
	r.parts.Feed(data)
	for i, f := range r.inUse() {
		// Two buffers take turns: a filter reads from one and appends to the other.
		out, err := f.Filter(r.work[i%2][:0], data, false)
		if err != nil {
			return errFilter
		}
		r.work[i%2], data = out, out
	}
	return c.deliver(data)
}

// lastOfFilters has the filters give out what they hold, at the end of the body.
func (c *conn) lastOfFilters() ([]byte, error) {
	r := &c.s.resp
	whole := r.whole
	r.whole = false // to the Storer it is whole only when its filter has seen the end
	var data []byte
	for i, f := range r.inUse() {
		out, err := f.Filter(r.work[i%2][:0], data, true)
		if err != nil {
			return nil, errFilter
		}
		r.work[i%2], data = out, out
		r.whole = r.whole || whole && i+1 == r.stored
	}
	r.whole = whole
	return data, nil
}

// flush sends what filters hold back and can give by now, because there is nothing more at the moment.
func (c *conn) flush() error {
	r := &c.s.resp
	if !r.flushes || r.muted {
		return nil
	}
	var data []byte
	for i, f := range r.filters {
		out, err := r.work[i%2][:0], error(nil)
		if len(data) > 0 {
			out, err = f.Filter(out, data, false)
		}
		if flusher, ok := f.(plugins.Flusher); ok && err == nil {
			out, err = flusher.Flush(out)
		}
		if err != nil {
			return errFilter
		}
		r.work[i%2], data = out, out
	}
	if err := c.deliver(data); err != nil || !r.headOnly {
		return err
	}
	return c.emit(nil)
}

// paused flushes before the wait for an upstream that has nothing more at the moment. It reports whether that has ended the exchange.
func (up *upstreamIO) paused() bool {
	err := up.c.flush()
	return err != nil && up.relayFailed(err)
}

// deliver frames what came out of the filters, and sends it.
func (c *conn) deliver(data []byte) error {
	r := &c.s.resp
	if r.muted {
		return nil
	}
	if c.s.call.encode {
		data = c.s.encodeData(data)
	}
	if len(data) == 0 {
		return nil
	}
	if !r.chunked {
		return c.emit(data)
	}
	c.s.ex.ResponseBody += int64(len(data))
	at := len(r.filters) % 2
	r.work[at] = http1.AppendChunk(r.work[at][:0], data)
	return c.emitRest(r.work[at])
}

// fillsOn reports whether a body that the client does not take any more is read on for the Storer. Nothing of it is sent then.
func (c *conn) fillsOn() bool {
	s := c.s
	r := &s.resp
	if !r.wanted(false) || c.cutting() {
		return false
	}
	if r.headOnly {
		r.headOnly, s.headSent = false, false
	}
	r.muted, s.clientGone = true, true
	return true
}

// wanted reports whether the Storer wants a body that no client takes; usually is what holds where it does not say.
func (r *respState) wanted(usually bool) bool {
	if w, ok := r.store.(plugins.Wanter); ok {
		return w.Wanted()
	}
	return usually
}

// endFilters tells the filters that their body is over, the last first.
func (r *respState) endFilters() {
	for n := len(r.filters); n > 0; n = len(r.filters) {
		f := r.filters[n-1]
		r.filters[n-1] = nil
		r.filters = r.filters[:n-1] // before the call, which may panic
		if e, ok := f.(plugins.Ender); ok {
			e.End(r.whole)
		}
	}
	r.changes, r.store, r.stored, r.flushes = 0, nil, 0, false
}
