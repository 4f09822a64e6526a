package cache

import (
	"time"

	"pingap/message"
	"pingap/worker/cache/control"
)

// Verdict is what a stored response is good for.
type Verdict uint8

// The verdicts.
const (
	Invalid Verdict = iota // to be validated or fetched
	Fresh
	Updating // stale, and used while it is fetched anew
	Stale    // stale, which the client accepts
)

// Judge says what a stored response is good for (RFC 9111 section 4).
func (h *Head) Judge(d *control.Directives, now int64) Verdict {
	age := h.age(now)
	left := h.Lifetime - age
	switch {
	case h.Validate || d.NoCache, d.MaxAge != control.None && age > d.MaxAge*int64(time.Second):
		return Invalid
	case d.MinFresh != control.None && left < d.MinFresh*int64(time.Second):
		return Invalid
	case left > 0:
		return Fresh
	case h.SWR+left > 0:
		return Updating
	case d.MaxStale != control.None && !h.NoStale && (d.MaxStale == control.MaxSeconds || -left <= d.MaxStale*int64(time.Second)):
		return Stale
	}
	return Invalid
}

// OnError reports whether a response may be used because the server failed.
func (h *Head) OnError(d *control.Directives, now int64) bool {
	return !d.NoCache && !h.Validate && h.Lifetime-h.age(now)+h.SIE > 0
}

// Asked is what the fields of a request say about caching.
type Asked struct {
	IfNoneMatch, IfModifiedSince []byte // nil for none
	Range, IfRange               []byte
	Control                      bool // Cache-Control or Pragma is there: see control.ParseDirectives
	Authorization                bool
	Upgrade                      bool // another protocol is asked for
	Precondition                 bool // If-Match or If-Unmodified-Since, which a cache cannot judge
}

// Scan reads the fields of a request once.
func Scan(fields []message.Field) (a Asked) {
	for i := range fields {
		f := &fields[i]
		switch f.ID {
		case message.IfNoneMatch:
			if a.IfNoneMatch != nil {
				a.IfNoneMatch = append(append(append([]byte(nil), a.IfNoneMatch...), ','), f.Value...)
				continue
			}
			a.IfNoneMatch = f.Value
		case message.IfModifiedSince:
			a.IfModifiedSince = f.Value
		case message.Range:
			a.Range = f.Value
		case message.IfRange:
			a.IfRange = f.Value
		case message.CacheControl, message.Pragma:
			a.Control = true
		case message.Authorization:
			a.Authorization = true
		case message.Upgrade:
			a.Upgrade = true
		case message.Unknown:
			a.Precondition = a.Precondition || message.EqualFold(f.Name, "If-Match") || message.EqualFold(f.Name, "If-Unmodified-Since")
		}
	}
	return a
}

// Conditional reports whether another answer than the whole response may be right.
func (a *Asked) Conditional() bool {
	return a.IfNoneMatch != nil || a.IfModifiedSince != nil || a.Range != nil
}

// Keep copies what points into the request.
func (a *Asked) Keep() {
	for _, b := range []*[]byte{&a.IfNoneMatch, &a.IfModifiedSince, &a.Range, &a.IfRange} {
		if *b != nil {
			*b = append([]byte{}, *b...)
		}
	}
}
