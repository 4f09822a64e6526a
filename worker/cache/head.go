package cache

import (
	"bytes"
	"strings"
	"time"

	"pingap/message"
	"pingap/worker/cache/control"
)

// Head is what is kept of a response beside its body. It is read-only once it is stored.
type Head struct {
	Key    string // the text of its key
	Status int    // 0 for a mark: there are responses that vary
	Fields []message.Field
	// Born is when its age was 0, in ns since 1970; the spans are ns.
	Born               int64
	Lifetime, SWR, SIE int64
	Validate, NoStale  bool  // see Policy
	Length             int64 // of the body in bytes; message.LengthUnknown while it comes

	// Of a mark: the fields that responses vary by, and what makes the keys of this mark differ from those of one before it.
	Names      []string
	Generation uint64
}

// NewHead keeps of a response what its policy allows. Everything is copied.
func NewHead(key string, a *Arrival, p *Policy, setCookie bool) *Head {
	h := &Head{Key: key, Status: a.Status, Length: message.LengthUnknown}
	h.apply(a, p)
	kept := make([]message.Field, 0, len(a.Fields)+1)
	for i := range a.Fields {
		if keeps(&a.Fields[i], a.Fields, p.Drop, setCookie) {
			kept = append(kept, a.Fields[i])
		}
	}
	if get(kept, message.Date) == nil { // RFC 9110 section 6.6.1
		kept = append(kept, message.Field{ID: message.Date, Name: nameDate, Value: []byte(a.Came.UTC().Format(dateLayouts[0]))})
	}
	h.Fields = CopyFields(kept)
	return h
}

func (h *Head) apply(a *Arrival, p *Policy) {
	h.Born = a.Came.Add(-p.Age).UnixNano()
	h.Lifetime, h.SWR, h.SIE = int64(p.Lifetime), int64(p.SWR), int64(p.SIE)
	h.Validate, h.NoStale = p.Validate, p.NoStale
}

var nameDate = []byte("Date")

// CopyFields copies fields into memory of their own: one piece, whatever their number.
func CopyFields(fields []message.Field) []message.Field {
	size := 0
	for i := range fields {
		size += len(fields[i].Name) + len(fields[i].Value)
	}
	mem := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		start := len(mem)
		mem = append(mem, b...)
		return mem[start:len(mem):len(mem)]
	}
	own := make([]message.Field, len(fields))
	for i, f := range fields {
		own[i] = message.Field{ID: f.ID, Name: keep(f.Name), Value: keep(f.Value), NeverIndex: f.NeverIndex}
	}
	return own
}

// keeps reports whether a field of a response is stored: not what belongs to the connection (RFC 9111 section 3.1), nor to one request, nor what is
// written anew each time.
func keeps(f *message.Field, all []message.Field, drop []string, setCookie bool) bool {
	switch f.ID {
	case message.Connection, message.KeepAlive, message.ProxyAuthenticate, message.ProxyAuthorization, message.ProxyConnection, message.TE,
		message.Trailer, message.TransferEncoding, message.Upgrade, message.ContentLength, message.Age, message.XRequestID, message.ServerTiming:
		return false
	case message.SetCookie:
		return setCookie && !named(f.Name, drop)
	case message.Unknown:
		for _, name := range unkept() {
			if message.EqualFold(f.Name, name) {
				return false
			}
		}
	}
	return !named(f.Name, drop) && !listed(f.Name, all)
}

func unkept() []string {
	return []string{"Proxy-Authentication-Info", "HTTP2-Settings", "X-Trace-Id", "X-Span-Id", "Traceparent", "Tracestate",
		"X-Cache", "X-Cache-Status", "X-Cache-Lookup", "X-Cache-Lock"}
}

func named(name []byte, list []string) bool {
	for _, each := range list {
		if message.EqualFold(name, each) {
			return true
		}
	}
	return false
}

// listed reports whether Connection names a field.
func listed(name []byte, all []message.Field) bool {
	for i := range all {
		if all[i].ID != message.Connection {
			continue
		}
		for part := range bytes.SplitSeq(all[i].Value, []byte{','}) {
			if message.EqualFold(name, string(bytes.Trim(part, " \t"))) {
				return true
			}
		}
	}
	return false
}

// Freshen joins the head of a 304 with a stored one (RFC 9111 sections 3.2 and 4.3.4). Nil where what results may not be stored.
func (s *Settings) Freshen(old *Head, a *Arrival) *Head {
	var drop []string
	c := control.Parse(a.Fields)
	drop = append(c.NoCacheFields, c.PrivateFields...)
	var merged []message.Field
	for i := range old.Fields {
		if !updates(&old.Fields[i], a.Fields, drop, s.SetCookie) {
			merged = append(merged, old.Fields[i])
		}
	}
	for i := range a.Fields {
		if f := &a.Fields[i]; f.ID == message.Age || f.ID == message.Connection || mayUpdate(f) && keeps(f, a.Fields, drop, s.SetCookie) {
			merged = append(merged, *f)
		}
	}
	joined := *a
	joined.Status, joined.Fields = old.Status, merged
	p := s.Policy(&joined)
	if !p.Storable {
		return nil
	}
	h := NewHead(old.Key, &joined, &p, s.SetCookie)
	h.Length = old.Length
	return h
}

// updates reports whether a 304 has a field that takes the place of a stored one.
func updates(stored *message.Field, fields []message.Field, drop []string, setCookie bool) bool {
	if !mayUpdate(stored) {
		return false
	}
	for i := range fields {
		if len(fields[i].Name) == len(stored.Name) && message.EqualFold(stored.Name, string(fields[i].Name)) {
			return keeps(&fields[i], fields, drop, setCookie)
		}
	}
	return false
}

// mayUpdate leaves fields out that speak of the body which is stored.
func mayUpdate(f *message.Field) bool {
	switch f.ID {
	case message.ContentLength, message.ContentEncoding, message.ContentRange, message.ETag:
		return false
	}
	return !message.EqualFold(f.Name, "Content-MD5")
}

// Fresher reports whether the head is one that is good for longer than it was asked for.
func (h *Head) Fresher(now time.Time) bool { return !h.Validate && h.age(now.UnixNano()) < h.Lifetime }

// age is how old the response is, in ns.
func (h *Head) age(now int64) int64 { return max(0, now-h.Born) }

// mark reports whether the head stands for responses that vary.
func (h *Head) mark() bool { return h.Status == 0 }

// HasTag reports whether Cache-Tag or Surrogate-Key of the response has one of these tags.
func (h *Head) HasTag(tags []string) bool {
	for i := range h.Fields {
		f := &h.Fields[i]
		var own []string
		switch {
		case message.EqualFold(f.Name, "Cache-Tag"):
			own = strings.FieldsFunc(string(f.Value), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		case message.EqualFold(f.Name, "Surrogate-Key"):
			own = strings.Fields(string(f.Value))
		}
		for _, tag := range own {
			for _, each := range tags {
				if tag == each {
					return true
				}
			}
		}
	}
	return false
}
