package imageoptim

import (
	"bytes"
	"crypto/sha256"
	"strconv"

	"pingap/message"
	"pingap/plugins"
)

// Names and values of fields, built once.
var (
	nameVary         = []byte("Vary")
	valueAccept      = []byte("Accept")
	nameCacheControl = []byte("Cache-Control")
	valueNoStore     = []byte("no-store")
	nameContentType  = []byte("Content-Type")
	valueWebP        = []byte("image/webp")
)

// UpstreamResponse says that the form depends on the client, and keeps caches from storing what will have another form soon.
func (o *imageOptim) UpstreamResponse(e *plugins.Exchange) {
	from := o.candidate(e)
	if from == "" {
		return
	}
	to := o.target(e, from)
	if o.webp && from == "png" {
		vary(&e.Response.Fields)
	}
	if e.Request.MethodID == message.HEAD {
		return
	}
	if k, ok := keyOf(e, to); ok && o.images != nil && o.results.get(k) == nil {
		e.Response.Fields.Append(message.CacheControl, nameCacheControl, valueNoStore)
	}
}

// Response takes away what was for caches of ours only.
func (o *imageOptim) Response(e *plugins.Exchange) {
	fields := &e.Response.Fields
	found := false
	for _, f := range fields.List() {
		found = found || isOurs(f)
	}
	if !found {
		return
	}
	var others [][]byte
	for _, f := range fields.List() {
		if f.ID == message.CacheControl && !isOurs(f) {
			others = append(others, f.Value)
		}
	}
	fields.DelID(message.CacheControl)
	for _, value := range others {
		fields.Append(message.CacheControl, nameCacheControl, value)
	}
}

// isOurs tells the field that UpstreamResponse added from one that says the same.
func isOurs(f message.Field) bool {
	return f.ID == message.CacheControl && len(f.Value) > 0 && &f.Value[0] == &valueNoStore[0]
}

// BodyFilter replaces a picture that is known, and reads one along that is not.
func (o *imageOptim) BodyFilter(e *plugins.Exchange) plugins.Filter {
	from := o.candidate(e)
	if from == "" || o.images == nil {
		return nil
	}
	to := o.target(e, from)
	k, ok := keyOf(e, to)
	if !ok {
		return nil
	}
	switch known := o.results.get(k); {
	case known == nil:
		return o.learn(e, k, from, to)
	case known.data == nil:
		return nil
	default:
		replaced(&e.Response.Fields, to)
		return &replacing{data: known.data, silent: e.Request.MethodID == message.HEAD}
	}
}

// candidate returns the type of a picture that may be made anew; empty for any other response.
func (o *imageOptim) candidate(e *plugins.Exchange) string {
	r := &e.Response
	if r.Status != 200 || r.Fields.Has(message.ContentEncoding) || r.Fields.Has(message.ContentRange) {
		return ""
	}
	if e.Request.MethodID != message.GET && e.Request.MethodID != message.HEAD {
		return ""
	}
	if hasElement(&r.Fields, message.CacheControl, "no-transform") || hasElement(&e.Request.Fields, message.CacheControl, "no-transform") {
		return ""
	}
	media := r.Fields.Get(message.ContentType)
	if i := bytes.IndexByte(media, ';'); i >= 0 {
		media = media[:i]
	}
	switch media = bytes.TrimSpace(media); {
	case message.EqualFold(media, "image/jpeg"):
		return "jpeg"
	case message.EqualFold(media, "image/png"):
		return "png"
	}
	return ""
}

// target is the type that a picture gets for this client. A JPEG stays one: WebP without loss would be larger.
func (o *imageOptim) target(e *plugins.Exchange, from string) string {
	if o.webp && from == "png" && hasElement(&e.Request.Fields, message.Accept, "image/webp") {
		return "webp"
	}
	return from
}

// keyOf names a picture in a form; false where nothing tells one picture from another at the same place.
func keyOf(e *plugins.Exchange, to string) (key, bool) {
	f := &e.Response.Fields
	tag, modified, length := f.Get(message.ETag), f.Get(message.LastModified), e.Response.BodyLength
	if e.Request.MethodID == message.HEAD {
		length = announced(f)
	}
	if len(tag)+len(modified) == 0 || length <= 0 {
		return key{}, false
	}
	var room [512]byte
	b := append(append(room[:0], e.Request.Host...), 0)
	b = append(append(b, e.Request.Target...), 0)
	b = append(append(b, tag...), 0)
	b = append(append(b, modified...), 0)
	b = append(append(b, to...), 0)
	return sha256.Sum256(strconv.AppendInt(b, length, 10)), true
}

func announced(f *message.Fields) int64 {
	n, err := strconv.ParseInt(string(f.Get(message.ContentLength)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// replaced makes a head fit another form of its picture.
func replaced(fields *message.Fields, to string) {
	if tag := fields.Get(message.ETag); len(tag) > 0 && !bytes.HasPrefix(tag, []byte("W/")) {
		fields.Set("ETag", append([]byte("W/"), tag...))
	}
	fields.DelID(message.AcceptRanges)
	fields.DelID(message.ContentLength)
	for _, digest := range [...]string{"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"} {
		fields.Del(digest)
	}
	if to == "webp" {
		fields.DelID(message.ContentType)
		fields.Append(message.ContentType, nameContentType, valueWebP)
	}
}

// vary adds Vary: Accept where it is not said already.
func vary(fields *message.Fields) {
	if !hasElement(fields, message.Vary, "Accept") && !hasElement(fields, message.Vary, "*") {
		fields.Append(message.Vary, nameVary, valueAccept)
	}
}

// hasElement reports whether a list, in all its fields, has an element whose weight is not 0.
func hasElement(fields *message.Fields, id message.Name, want string) bool {
	for _, f := range fields.List() {
		if f.ID != id {
			continue
		}
		for rest, more := f.Value, true; more; {
			var element []byte
			element, rest, more = bytes.Cut(rest, []byte(","))
			name, weight, _ := bytes.Cut(element, []byte(";"))
			if message.EqualFold(bytes.TrimSpace(name), want) {
				return !refused(weight)
			}
		}
	}
	return false
}

// refused reports whether parameters say "q=0".
func refused(parameters []byte) bool {
	for more := true; more; {
		var p []byte
		p, parameters, more = bytes.Cut(parameters, []byte(";"))
		p = bytes.TrimSpace(p)
		if len(p) > 2 && p[0]|0x20 == 'q' && p[1] == '=' && len(bytes.Trim(p[2:], "0.")) == 0 {
			return true
		}
	}
	return false
}
