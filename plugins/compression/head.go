package compression

import (
	"bytes"
	"strconv"

	"pingap/message"
	"pingap/plugins"
)

// Names and values of fields, built once.
var (
	nameVary            = []byte("Vary")
	valueAcceptEncoding = []byte("Accept-Encoding")
	nameContentEncoding = []byte("Content-Encoding")
	codingNames         = [codings][]byte{zstdCoding: []byte("zstd"), brotliCoding: []byte("br"), gzipCoding: []byte("gzip")}
)

// BodyFilter compresses or decodes the body of a response that it fits, and changes its head accordingly.
func (c *compression) BodyFilter(e *plugins.Exchange) plugins.Filter {
	r := &e.Response
	if !mayTransform(e) {
		return nil
	}
	encoded, ok := contentCoding(&r.Fields)
	switch {
	case !ok:
		return nil
	case encoded != identity:
		return c.decode(e, encoded)
	}
	return c.encode(e)
}

// mayTransform reports whether a response has a body that is whole and may be changed (RFC 9111 sections 5.2.1.6 and 5.2.2.6).
func mayTransform(e *plugins.Exchange) bool {
	r := &e.Response
	switch {
	case r.Status < 200, r.Status == 204, r.Status == 205, r.Status == 206, r.Status == 304:
		return false
	case r.Fields.Has(message.ContentRange):
		return false
	}
	return !forbidden(&r.Fields) && !forbidden(&e.Request.Fields)
}

// contentCoding returns the coding of a body; false for one that is none of ours, or for more than one.
func contentCoding(fields *message.Fields) (coding, bool) {
	found := identity
	for i := range fields.List() {
		f := &fields.List()[i]
		if f.ID != message.ContentEncoding || len(f.Value) == 0 {
			continue
		}
		c, known := lookupCoding(f.Value)
		if !known || found != identity {
			return identity, false
		}
		found = c
	}
	return found, true
}

// encode returns the filter for a body without coding; nil for one that is to pass.
func (c *compression) encode(e *plugins.Exchange) plugins.Filter {
	r := &e.Response
	if !c.types.has(r.Fields.Get(message.ContentType)) {
		return nil
	}
	head := e.Request.MethodID == message.HEAD
	length := bodyLength(r, head)
	if length == 0 {
		return nil
	}
	client := readAccepted(&e.Request.Fields)
	if length >= 0 && length < c.minLength && client.plain() {
		return nil
	}
	if c.offered == [codings]bool{} {
		return nil
	}
	vary(&r.Fields)
	chosen := client.best(&c.offered)
	if chosen == identity {
		return nil
	}
	var f plugins.Filter = noBody{}
	if !head {
		taken := c.pools[chosen].take()
		if taken == nil {
			return nil
		}
		taken.begin(e, !c.upstream)
		f = taken
	}
	r.Fields.DelID(message.ContentEncoding)
	r.Fields.Append(message.ContentEncoding, nameContentEncoding, codingNames[chosen])
	anew(&r.Fields)
	return f
}

// decode returns the filter for a body with a coding that the client does not take; nil for one that is to pass.
func (c *compression) decode(e *plugins.Exchange, from coding) plugins.Filter {
	if c.decoders == nil {
		return nil
	}
	r := &e.Response
	vary(&r.Fields)
	client := readAccepted(&e.Request.Fields)
	if client.weight(from) > 0 || !client.plain() {
		return nil
	}
	var f plugins.Filter = noBody{}
	if e.Request.MethodID != message.HEAD {
		taken := c.decoders.take(from)
		if taken == nil {
			return nil
		}
		f = taken
	}
	r.Fields.DelID(message.ContentEncoding)
	anew(&r.Fields)
	return f
}

// bodyLength returns the length of the body, or the one it would have if it were not for a HEAD request; message.LengthUnknown for none.
func bodyLength(r *message.Response, head bool) int64 {
	if !head {
		return r.BodyLength
	}
	n, err := strconv.ParseInt(string(r.Fields.Get(message.ContentLength)), 10, 64)
	if err != nil {
		return message.LengthUnknown
	}
	return n
}

// notModified makes the head of a 304 fit the response that the client or a cache has stored: its ETag is weak, and it varies
// (RFC 9110 section 15.4.5, RFC 9111 section 4.3.4).
func (c *compression) notModified(e *plugins.Exchange) {
	r := &e.Response
	if r.Status != 304 || forbidden(&r.Fields) || forbidden(&e.Request.Fields) {
		return
	}
	if media := r.Fields.Get(message.ContentType); len(media) > 0 && !c.types.has(media) {
		return
	}
	if encoded, ok := contentCoding(&r.Fields); !ok || encoded != identity {
		return
	}
	client := readAccepted(&e.Request.Fields)
	vary(&r.Fields)
	if client.best(&c.offered) != identity {
		weaken(&r.Fields)
	}
}

// anew changes what a head says of a body whose bytes are not the upstream's any more.
func anew(fields *message.Fields) {
	weaken(fields)
	fields.DelID(message.AcceptRanges)
	fields.DelID(message.ContentLength)
	for _, digest := range [...]string{"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"} {
		fields.Del(digest)
	}
}

// weaken makes a strong ETag weak (RFC 9110 section 8.8.1).
func weaken(fields *message.Fields) {
	tag := fields.Get(message.ETag)
	if len(tag) == 0 || bytes.HasPrefix(tag, []byte("W/")) {
		return
	}
	var room [128]byte
	fields.Set("ETag", append(append(room[:0], "W/"...), tag...))
}

// vary adds Vary: Accept-Encoding where it is not said already.
func vary(fields *message.Fields) {
	if !hasElement(fields, message.Vary, "Accept-Encoding") && !hasElement(fields, message.Vary, "*") {
		fields.Append(message.Vary, nameVary, valueAcceptEncoding)
	}
}

// forbidden reports whether a message says no-transform.
func forbidden(fields *message.Fields) bool {
	return hasElement(fields, message.CacheControl, "no-transform")
}

// hasElement reports whether a list, in all its fields, has an element.
func hasElement(fields *message.Fields, id message.Name, want string) bool {
	for i := range fields.List() {
		f := &fields.List()[i]
		if f.ID != id {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var element []byte
			element, rest = cutElement(rest)
			if message.EqualFold(trim(element), want) {
				return true
			}
		}
	}
	return false
}
