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

	enders []Ender
}

// Reset forgets the exchange and keeps memory and connection.
func (e *Exchange) Reset() {
	e.Record.Reset()
	e.UpstreamOverride, e.Shadow = "", false
	clear(e.enders)
	e.enders = e.enders[:0]
}

// AtEnd has something told when the exchange is over, the last first. It is for what a Decider holds until then.
func (e *Exchange) AtEnd(x Ender) { e.enders = append(e.enders, x) }

// End tells all that wait for it. The proxy calls it, once an exchange.
func (e *Exchange) End(complete bool) {
	for i := len(e.enders) - 1; i >= 0; i-- {
		x := e.enders[i]
		e.enders[i] = nil
		x.End(complete)
	}
	e.enders = e.enders[:0]
}

// SetRequestID records the id of the request for log, trace and error page; it is copied.
func (e *Exchange) SetRequestID(id []byte) {
	e.RequestID = append(e.RequestID[:0], id...)
}

// Enders are those who wait for the end. A plugin finds among them what it has of this exchange at a later step; it changes nothing there.
func (e *Exchange) Enders() []Ender { return e.enders }
