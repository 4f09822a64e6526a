package cache

import (
	"bytes"
	"net/url"
	"strings"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/cache"
)

// Store sees what the upstream answered.
func (c *cached) Store(e *plugins.Exchange) (plugins.Filter, *plugins.Answer) {
	switch e.Request.MethodID {
	case message.GET, message.HEAD:
	case message.OPTIONS, message.TRACE, message.CONNECT:
		return nil, nil // safe, or not about what is stored
	default:
		c.invalidate(e)
		return nil, nil
	}
	st, ok := e.State.(*state)
	if !ok || st.owner != c {
		c.mark(e, labelBypass, nil)
		return nil, nil
	}
	status := e.Response.Status
	a := &cache.Arrival{Status: status, Fields: e.Response.Fields.List(), Asked: st.began, Came: time.Now(), Authorization: st.asked.Authorization}
	if status == 304 && st.validating {
		return nil, c.validated(e, st, a)
	}
	if answer := c.rescue(e, st, status); answer != nil {
		return nil, answer
	}
	f := c.keep(e, st, a)
	l := labelMiss
	if st.object != nil {
		l = labelExpired
	}
	c.mark(e, l, st)
	return f, nil
}

// Rescue answers with a stale response where the upstream gave none.
func (c *cached) Rescue(e *plugins.Exchange, status int) *plugins.Answer {
	st, ok := e.State.(*state)
	if !ok || st.owner != c {
		return nil
	}
	return c.rescue(e, st, status)
}

func (c *cached) rescue(e *plugins.Exchange, st *state, status int) *plugins.Answer {
	now := time.Now().UnixNano()
	if status < 500 || st.object == nil || !st.object.OnError(&st.directives, now) {
		return nil
	}
	st.over(cache.Refused)
	return c.respond(e, st.object, &st.asked, labelStale, st.took, now)
}

// validated joins a 304 with what is stored, and answers with it.
func (c *cached) validated(e *plugins.Exchange, st *state, a *cache.Arrival) *plugins.Answer {
	o := st.object
	if h := c.settings.Freshen(o.Head, a); h == nil {
		c.cache.Remove(st.key)
		st.over(cache.Refused)
	} else if fresh := c.cache.Replace(st.key, o, h, st.request); fresh != nil {
		st.object, st.stored = fresh, true
		o = fresh
		st.over(cache.Stored)
	}
	return c.respond(e, o, &st.asked, labelRevalidated, st.took, time.Now().UnixNano())
}

// keep has a response stored as its body passes, if it may be.
func (c *cached) keep(e *plugins.Exchange, st *state, a *cache.Arrival) plugins.Filter {
	if st.head {
		c.compare(st, a)
		return nil
	}
	p := c.settings.Policy(a)
	length := e.Response.BodyLength
	if a.Status == 204 {
		length = 0
	}
	if !p.Storable || length > c.settings.MaxBody {
		c.refuse(st, a.Status)
		return nil
	}
	h := cache.NewHead(st.text, a, &p, c.settings.SetCookie)
	if length == 0 {
		st.stored = c.cache.Put(st.key, h, a, nil, st.request)
		st.over(cache.Stored)
		return nil
	}
	st.fill = c.cache.Begin(st.key, h, a, length, c.settings.MaxBody, st.request)
	if st.fill == nil {
		c.refuse(st, a.Status)
		return nil
	}
	c.predictor.note(st.key, true)
	if st.flight != nil {
		st.flight.Share(st.fill, st.request)
	}
	return &filler{st}
}

// refuse says that a response is not stored. What was stored before it is gone, unless the upstream failed.
func (c *cached) refuse(st *state, status int) {
	if st.object != nil && status < 500 && st.asked.Range == nil {
		c.cache.Remove(st.key)
	}
	if st.mayLead() {
		c.predictor.note(st.key, false)
	}
	st.over(cache.Refused)
}

// compare drops what is stored where the response to HEAD tells that it is another one now (RFC 9111 section 4.3.5).
func (c *cached) compare(st *state, a *cache.Arrival) {
	if st.object == nil || a.Status != 200 {
		return
	}
	tag, modified := st.object.Validators()
	nowTag, nowModified := (&cache.Head{Fields: a.Fields}).Validators()
	if !bytes.Equal(tag, nowTag) || !bytes.Equal(modified, nowModified) {
		c.cache.Remove(st.key)
	}
}

// filler takes the body of a response on its way.
type filler struct{ st *state }

// Filter passes everything. What is whole is stored before its last byte goes on: a client that has it finds it.
func (f *filler) Filter(dst, piece []byte, last bool) ([]byte, error) {
	if f.st.fill.Write(piece); last || f.st.fill.Whole() {
		f.End(true)
	}
	return append(dst, piece...), nil
}

// End stores the body if it is whole.
func (f *filler) End(complete bool) {
	f.st.fill.End(complete)
	f.st.stored = f.st.stored || complete
	f.st.over(cache.Stored)
}

// Wanted reports whether others read along, or would have nothing fresh otherwise.
func (f *filler) Wanted() bool { return f.st.refresh || f.st.fill.Wanted() }

// invalidate forgets what a successful unsafe request has changed (RFC 9111 section 4.4).
func (c *cached) invalidate(e *plugins.Exchange) {
	if e.Response.Status < 200 || e.Response.Status > 399 || c.skips(&e.Request) {
		return
	}
	p := c.exact(e)
	c.others.forget(p)
	base := &url.URL{Scheme: e.Scheme(), Host: p.Host}
	if u, err := url.Parse(p.Target); err == nil {
		base.Path, base.RawPath = u.Path, u.RawPath
	}
	for _, name := range [...]string{"Location", "Content-Location"} {
		value, ok := e.Response.Fields.Lookup(name)
		if !ok {
			continue
		}
		u, err := base.Parse(string(value))
		if err != nil || !strings.EqualFold(hostOf(u), p.Host) {
			continue
		}
		u.Fragment, u.RawFragment = "", ""
		other := *p
		other.Target = u.RequestURI()
		c.others.forget(&other)
	}
}

// hostOf is the host of an address as keys have it.
func hostOf(u *url.URL) string {
	if u.Port() == "80" && u.Scheme == "http" || u.Port() == "443" && u.Scheme == "https" {
		return strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u.Host
}
