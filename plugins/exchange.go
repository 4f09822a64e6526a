package plugins

import "pingap/message"

// Exchange is one request and its response as plugins see it. It is the Record of the exchange, from
// which the log line is made: heads, addresses, location, timings. Which of its parts are known
// depends on the step; a response head exists from UpstreamResponse on.
//
// Plugins change Request.Fields and Response.Fields through their methods, Request.RewritePath, and
// the exported fields of Exchange itself. They treat the rest of the Record as read-only.
type Exchange struct {
	message.Record

	// UpstreamOverride names the upstream to use instead of the location's; empty for none.
	UpstreamOverride string

	// Shadow tells that the instance which is asked is only watched (mode = "shadow"): this is a copy of the exchange, and nothing that is
	// decided is done. Delays are left out.
	Shadow bool

	// State belongs to the location's Storer, from its Decide on. With Decision.Refresh it goes over to the exchange in the background. One that is an
	// Ender is told like those of AtEnd: when the exchange that has it is over, or when there was no room for it.
	State any

	enders []Ender
}

// Reset forgets the exchange and keeps memory and connection.
func (e *Exchange) Reset() {
	e.Record.Reset()
	e.UpstreamOverride, e.Shadow, e.State = "", false, nil
	clear(e.enders)
	e.enders = e.enders[:0]
}

// AtEnd has something told when the exchange is over, the last first. It is for what a Decider holds until then.
func (e *Exchange) AtEnd(x Ender) { e.enders = append(e.enders, x) }

// End tells all that wait for it, and the State. The proxy calls it, once an exchange; after a panic it is to be called again, for the rest.
func (e *Exchange) End(complete bool) {
	for n := len(e.enders); n > 0; n = len(e.enders) {
		x := e.enders[n-1]
		e.enders[n-1] = nil
		e.enders = e.enders[:n-1]
		x.End(complete)
	}
	if x, ok := e.State.(Ender); ok {
		e.State = nil
		x.End(complete)
	}
}

// HasEnd reports whether somebody waits for the end.
func (e *Exchange) HasEnd() bool {
	if len(e.enders) > 0 {
		return true
	}
	_, ok := e.State.(Ender)
	return ok
}

// SetRequestID records the id of the request for log, trace and error page; it is copied.
func (e *Exchange) SetRequestID(id []byte) {
	e.RequestID = append(e.RequestID[:0], id...)
}

// Enders are those who wait for the end. A plugin finds among them what it has of this exchange at a later step; it changes nothing there.
func (e *Exchange) Enders() []Ender { return e.enders }
