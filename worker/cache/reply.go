package cache

import (
	"bytes"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"pingap/message"
	"pingap/worker/cache/condition"
	"pingap/worker/cache/control"
)

// Object is a stored response. One in memory is shared; one in a file belongs to who got it, and is closed by that.
type Object struct {
	*Head
	Body   []byte   // in memory
	File   *os.File // or here, from Offset on
	Offset int64

	memo atomic.Pointer[memo]
}

// memo is a reply that is good for one second.
type memo struct {
	second int64
	reply  any
}

// Close gives the file back.
func (o *Object) Close() {
	if o != nil && o.File != nil {
		_ = o.File.Close() // it was only read
		o.File = nil
	}
}

// Memo returns what was remembered in this second, nil for nothing: the age of a response is written in seconds, and its reply is the same within one.
func (o *Object) Memo(second int64) any {
	if m := o.memo.Load(); m != nil && m.second == second {
		return m.reply
	}
	return nil
}

// Remember keeps a reply for a second.
func (o *Object) Remember(second int64, reply any) {
	o.memo.Store(&memo{second: second, reply: reply})
}

// Second is the number of seconds of age.
func (h *Head) Second(now int64) int64 { return h.age(now) / int64(time.Second) }

// Reply is a response made of a stored one. Its body is Body, or Length bytes of File from Offset on.
type Reply struct {
	Status         int
	Fields         []message.Field
	Body           []byte
	File           *os.File
	Offset, Length int64
}

var (
	nameAge          = []byte("Age")
	nameContentRange = []byte("Content-Range")
)

// Reply makes the response to a request, with extra fields behind the stored ones. The object's file is the reply's from then on.
func (o *Object) Reply(a *Asked, extra []message.Field, now int64) Reply {
	if o.notModified(a) {
		o.Close()
		return Reply{Status: 304, Fields: o.fieldsOf304(extra, now)}
	}
	r := Reply{Status: o.Status, Body: o.Body, File: o.File, Offset: o.Offset, Length: o.Length}
	if o.File != nil { // an object in memory is shared: nothing is written into it
		o.File = nil
	}
	fields := o.fields(extra, now)
	s := condition.Span{}
	if a.Range != nil && o.Status == 200 && o.inRange(a.IfRange) {
		s = condition.ParseRange(a.Range, o.Length)
	}
	switch s.How {
	case condition.Part:
		r.cut(s)
		fields = append(setRange(fields, "bytes "+strconv.FormatInt(s.From, 10)+"-"+strconv.FormatInt(s.From+s.Length-1, 10)+"/", o.Length), extra...)
	case condition.Unsatisfied:
		if r.File != nil {
			_ = r.File.Close() // only read
		}
		return Reply{Status: 416, Fields: append(setRange(nil, "bytes */", o.Length), extra...)}
	default:
		fields = append(fields, extra...)
	}
	r.Fields = fields
	return r
}

// fields are the stored ones with the age; there is room for extra ones and one more.
func (h *Head) fields(extra []message.Field, now int64) []message.Field {
	fields := make([]message.Field, len(h.Fields), len(h.Fields)+len(extra)+2)
	copy(fields, h.Fields)
	return append(fields, h.ageField(now))
}

func (h *Head) ageField(now int64) message.Field {
	return message.Field{ID: message.Age, Name: nameAge, Value: strconv.AppendInt(nil, min(h.Second(now), control.MaxSeconds), 10)}
}

// fieldsOf304 are those that a client needs to bring what it has up to date (RFC 9110 section 15.4.5), and the fields of a cache.
func (h *Head) fieldsOf304(extra []message.Field, now int64) []message.Field {
	fields := make([]message.Field, 0, 8+len(extra))
	for i := range h.Fields {
		switch f := &h.Fields[i]; f.ID {
		case message.CacheControl, message.Date, message.ETag, message.Expires, message.Vary, message.LastModified, message.SetCookie:
			fields = append(fields, *f)
		case message.Unknown:
			if message.EqualFold(f.Name, "Content-Location") {
				fields = append(fields, *f)
			}
		}
	}
	return append(append(fields, h.ageField(now)), extra...)
}

// cut makes a reply one of a part of its body.
func (r *Reply) cut(s condition.Span) {
	r.Status, r.Length = 206, s.Length
	if r.File != nil {
		r.Offset += s.From
		return
	}
	r.Body = r.Body[s.From : s.From+s.Length]
}

// setRange puts Content-Range into the place of any that is there.
func setRange(fields []message.Field, text string, length int64) []message.Field {
	value := strconv.AppendInt([]byte(text), length, 10)
	kept := fields[:0]
	for _, f := range fields {
		if f.ID != message.ContentRange {
			kept = append(kept, f)
		}
	}
	return append(kept, message.Field{ID: message.ContentRange, Name: nameContentRange, Value: value})
}

// notModified judges the conditions of a request (RFC 9111 section 4.3.2).
func (h *Head) notModified(a *Asked) bool {
	if h.Status != 200 {
		return false
	}
	if a.IfNoneMatch != nil {
		tag := get(h.Fields, message.ETag)
		if tag == nil {
			return string(bytes.TrimSpace(a.IfNoneMatch)) == "*"
		}
		return condition.Matches(a.IfNoneMatch, tag)
	}
	if a.IfModifiedSince == nil {
		return false
	}
	since, ok := parseDate(a.IfModifiedSince)
	if !ok {
		return false
	}
	modified, ok, _ := dateField(h.Fields, message.LastModified)
	return ok && !modified.After(since)
}

// inRange judges If-Range: the part is wanted only of what the client has the rest of (RFC 9110 section 13.1.5).
func (h *Head) inRange(want []byte) bool {
	want = bytes.TrimSpace(want)
	if len(want) == 0 {
		return true
	}
	if want[0] == '"' || bytes.HasPrefix(want, []byte("W/")) {
		return condition.Strong(want, get(h.Fields, message.ETag))
	}
	return bytes.Equal(want, get(h.Fields, message.LastModified))
}

// Validators are the conditions by which a server is asked whether the response is still its own; nil for what it has not.
func (h *Head) Validators() (tag, modified []byte) {
	return get(h.Fields, message.ETag), get(h.Fields, message.LastModified)
}
