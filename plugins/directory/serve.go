package directory

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// names are the names of fields as answers share them.
type names struct {
	contentType, lastModified, etag, acceptRanges, cacheControl, contentEncoding, vary, disposition, contentRange, location []byte
	bytes, acceptEncoding                                                                                                   []byte // values
}

func newNames() names {
	text := func(id message.Name) []byte { return []byte(id.String()) }
	return names{
		contentType: text(message.ContentType), lastModified: text(message.LastModified), etag: text(message.ETag),
		acceptRanges: text(message.AcceptRanges), cacheControl: text(message.CacheControl), contentEncoding: text(message.ContentEncoding),
		vary: text(message.Vary), disposition: text(message.ContentDisposition), contentRange: text(message.ContentRange),
		location: text(message.LocationField), bytes: []byte("bytes"), acceptEncoding: text(message.AcceptEncoding),
	}
}

// reply is an answer with all that it needs, made at once.
type reply struct {
	answer plugins.Answer
	part   plugins.FilePart
	fields [14]message.Field
	text   [160]byte // behind the values of fields: a date, a tag, a range
}

// serve answers with the file of this name. redirect tells that a directory of this name may be one whose slash the client forgot.
func (d *directory) serve(e *plugins.Exchange, name []byte, redirect bool) plugins.Decision {
	fields := &e.Request.Fields
	plain := string(name)
	o, with, err := d.openPreferred(plain, fields)
	switch {
	case err == nil && !o.directory():
		return d.respond(e, &o, name, with)
	case err == nil:
		o.close()
		if redirect && d.shown(plain) {
			return plugins.Respond(d.slash(&e.Request), "directory without slash")
		}
	case errors.Is(err, errForbidden):
		return plugins.Respond(forbidden(&e.Request), "outside the directory")
	case !missing(err):
		return plugins.Respond(d.failed, "file access error")
	}
	return plugins.Respond(d.notFound, "not found")
}

// openPreferred opens what the client likes best of what there is of a file; with is nil for the file as it is.
func (d *directory) openPreferred(name string, fields *message.Fields) (o opened, with *coding, err error) {
	if len(d.codings) > 0 {
		order, n := d.preferred(fields)
		for _, i := range order[:n] {
			with = &d.codings[i]
			if o, err = d.open(name + with.suffix); err != nil {
				continue
			}
			if !o.directory() {
				return o, with, nil
			}
			o.close()
		}
	}
	o, err = d.open(name)
	return o, nil, err
}

// shown reports whether there is anything to see in a directory. Of others nobody is told that they are there.
func (d *directory) shown(name string) bool {
	if d.autoindex {
		return true
	}
	o, err := d.open(name + "/" + d.index)
	if err != nil {
		return false
	}
	defer o.close()
	return !o.directory()
}

// slash sends the client to the directory's address. It is relative, because a rewrite may have taken away what the client's path begins with,
// and begins with a dot, because a name with a colon would be a scheme.
func (d *directory) slash(r *message.Request) *plugins.Answer {
	path := r.NormalPath()
	location := append([]byte("./"), path[bytes.LastIndexByte(path, '/')+1:]...)
	location = append(location, '/')
	if r.HasQuery {
		location = append(append(location, '?'), r.Query...)
	}
	return &plugins.Answer{Status: 301, Fields: []message.Field{{Name: d.names.location, Value: location, ID: message.LocationField}}}
}

// respond answers with a file that is open, a part of it, or that the client has it.
func (d *directory) respond(e *plugins.Exchange, o *opened, name []byte, with *coding) plugins.Decision {
	fields, size, now := &e.Request.Fields, o.stat.Size, time.Now()
	p := &reply{}
	v, text := versionOf(o, with, now, p.text[:0])
	c := readConditions(fields)
	a := &p.answer
	a.Fields, a.Content, a.Status = p.fields[:0], true, c.status(fields, &v, now)
	offset, length := int64(0), size
	if a.Status == 200 && c.rangeLines > 0 && e.Request.MethodID == message.GET && c.wanted(&v, now) {
		var verdict rangeVerdict
		switch offset, length, verdict = parseRange(c.ranges, size); verdict {
		case rangePart:
			a.Status = 206
		case rangeNone:
			a.Status = 416
		}
	}
	switch a.Status {
	case 412, 416:
		o.close()
		return d.refuse(a.Status, size)
	case 304:
		o.close()
		d.addFields(a, &v, name, with)
		return plugins.Respond(a, "not modified")
	case 206:
		a.Fields = append(a.Fields, message.Field{Name: d.names.contentRange, Value: appendContentRange(text, offset, length, size), ID: message.ContentRange})
	}
	d.addFields(a, &v, name, with)
	if o.body != nil {
		a.Body = o.body[offset : offset+length]
		return plugins.Respond(a, "file")
	}
	p.part = plugins.FilePart{File: o.take(), Offset: offset, Length: length}
	a.File = &p.part
	return plugins.Respond(a, "file")
}

// refuse answers that a precondition failed, or that there is no such part.
func (d *directory) refuse(status int, size int64) plugins.Decision {
	if status == 412 {
		return plugins.Respond(&plugins.Answer{Status: status}, "precondition failed")
	}
	text := strconv.AppendInt([]byte("bytes */"), size, 10)
	return plugins.Respond(&plugins.Answer{Status: status, Fields: []message.Field{
		{Name: d.names.contentRange, Value: text, ID: message.ContentRange}}}, "no such range")
}

// versionOf makes the validators in text, and returns what is left of it.
//
// The tag is strong: the time of the last change counts nanoseconds, so what is written in place changes it within a tick of the kernel's
// clock, and what is renamed there has its own. Neither inode nor device are in it: hosts that hold copies agree.
func versionOf(o *opened, with *coding, now time.Time, text []byte) (v version, rest []byte) {
	changed := time.Unix(o.stat.Mtim.Unix())
	if changed.After(now) { // a clock that was wrong; RFC 9110 section 8.8.2.1
		v.modified = now.Unix()
	} else {
		v.modified = changed.Unix()
	}
	text = time.Unix(v.modified, 0).UTC().AppendFormat(text, dateForm)
	v.date = text[:len(text):len(text)]
	text = append(text[len(text):], '"')
	text = strconv.AppendInt(text, o.stat.Size, 16)
	text = append(text, '-')
	text = strconv.AppendInt(text, changed.UnixNano(), 16)
	if with != nil {
		text = append(text, with.mark...)
	}
	text = append(text, '"')
	v.tag = text[:len(text):len(text)]
	return v, text[len(text):]
}

func appendContentRange(text []byte, offset, length, size int64) []byte {
	text = strconv.AppendInt(append(text, "bytes "...), offset, 10)
	text = strconv.AppendInt(append(text, '-'), offset+length-1, 10)
	return strconv.AppendInt(append(text, '/'), size, 10)
}

// addFields adds what belongs to a file, whether it is sent or only known to be the same (RFC 9110 section 15.4.5). Fields of the
// configuration come in place of ours.
func (d *directory) addFields(a *plugins.Answer, v *version, name []byte, with *coding) {
	n, kind := &d.names, d.typeOf(name)
	add := func(id message.Name, name, value []byte) {
		for i := range d.custom {
			if d.custom[i].ID == id {
				return
			}
		}
		a.Fields = append(a.Fields, message.Field{Name: name, Value: value, ID: id})
	}
	if a.Status != 304 {
		add(message.ContentType, n.contentType, kind.value)
		add(message.AcceptRanges, n.acceptRanges, n.bytes)
		if with != nil {
			add(message.ContentEncoding, n.contentEncoding, with.name)
		}
		if d.download {
			add(message.ContentDisposition, n.disposition, disposition(name))
		}
	}
	add(message.LastModified, n.lastModified, v.date)
	add(message.ETag, n.etag, v.tag)
	cache := d.cache
	if kind.html { // it names the versions of everything else
		cache = d.asked
	}
	add(message.CacheControl, n.cacheControl, cache)
	a.Fields = append(a.Fields, d.custom...)
	if len(d.codings) > 0 {
		a.Fields = append(a.Fields, message.Field{Name: n.vary, Value: n.acceptEncoding, ID: message.Vary})
	}
}

// disposition has the client save a file under its name (RFC 6266): once in ASCII for old clients, once in UTF-8.
func disposition(name []byte) []byte {
	name = name[bytes.LastIndexByte(name, '/')+1:]
	value := []byte("attachment; filename=\"")
	for _, c := range string(name) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' { // some clients decode escapes here
			c = '_'
		}
		value = append(value, byte(c))
	}
	value = append(value, "\"; filename*=UTF-8''"...)
	return appendEscaped(value, string(bytes.ToValidUTF8(name, []byte("\uFFFD"))))
}

// appendEscaped appends a name as RFC 8187 and a segment of a URL may have it: all but unreserved characters escaped.
func appendEscaped(dst []byte, name string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', hex[c>>4], hex[c&15])
	}
	return dst
}
