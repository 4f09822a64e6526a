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
}

// Reset forgets the exchange and keeps memory and connection.
func (e *Exchange) Reset() {
	e.Record.Reset()
	e.UpstreamOverride = ""
}

// SetRequestID records the id of the request for log, trace and error page; it is copied.
func (e *Exchange) SetRequestID(id []byte) {
	e.RequestID = append(e.RequestID[:0], id...)
}
