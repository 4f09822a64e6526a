package cache

import (
	"strconv"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/cache"
)

// label is what the fields of an answer say of where it is from.
type label = message.CacheStatus

const (
	labelHit         = message.CacheHit
	labelMiss        = message.CacheMiss
	labelStale       = message.CacheStale
	labelUpdating    = message.CacheUpdating
	labelExpired     = message.CacheExpired
	labelRevalidated = message.CacheRevalidated
	labelBypass      = message.CacheBypass
)

var (
	nameCache  = []byte("X-Cache")
	nameStatus = []byte("X-Cache-Status")
	nameLookup = []byte("X-Cache-Lookup")
	nameLock   = []byte("X-Cache-Lock")
	zeroTime   = []byte("0ms")
	// labels are the values of X-Cache and X-Cache-Status.
	labels = [...][2][]byte{
		labelHit: {[]byte("hit"), []byte("hit")}, labelMiss: {[]byte("miss"), []byte("miss")}, labelStale: {[]byte("stale"), []byte("stale")},
		labelUpdating: {[]byte("updating"), []byte("stale-updating")}, labelExpired: {[]byte("expired"), []byte("expired")},
		labelRevalidated: {[]byte("revalidated"), []byte("revalidated")}, labelBypass: {[]byte("bypass"), nil},
	}
)

// extras are the fields that say how an answer came about. st is nil where nobody waited.
func (c *cached) extras(l label, took time.Duration, st *state, waited time.Duration) []message.Field {
	fields := make([]message.Field, 0, 4)
	fields = append(fields, message.Field{Name: nameCache, Value: labels[l][0]}, message.Field{Name: nameStatus, Value: labels[l][1]},
		message.Field{Name: nameLookup, Value: milliseconds(took)})
	if st != nil && st.waited {
		fields = append(fields, message.Field{Name: nameLock, Value: milliseconds(waited)})
	}
	return fields
}

func milliseconds(d time.Duration) []byte {
	if d < time.Millisecond {
		return zeroTime
	}
	return append(strconv.AppendInt(nil, d.Milliseconds(), 10), "ms"...)
}

// hit answers with a fresh response. One in memory has its answer made once a second.
func (c *cached) hit(e *plugins.Exchange, o *cache.Object, asked *cache.Asked, took time.Duration, now int64) *plugins.Answer {
	e.Cache = labelHit
	if o.File != nil || asked.Conditional() || took >= time.Millisecond {
		return c.respond(e, o, asked, labelHit, took, now)
	}
	second := o.Second(now)
	if answer, ok := o.Memo(second).(*plugins.Answer); ok {
		return answer
	}
	answer := c.respond(e, o, asked, labelHit, took, now)
	if answer.Status == 200 && len(answer.Body) <= cache.MaxWire {
		again := *answer // who asks again in this second is not the last
		again.Wire = &message.Wire{}
		o.Remember(second, &again)
		return answer
	}
	o.Remember(second, answer)
	return answer
}

func (c *cached) respond(e *plugins.Exchange, o *cache.Object, asked *cache.Asked, l label, took time.Duration, now int64) *plugins.Answer {
	e.Cache = l
	return c.answer(o, asked, c.extras(l, took, nil, 0), now)
}

func (c *cached) respondWaited(e *plugins.Exchange, o *cache.Object, st *state, waited time.Duration, now int64) *plugins.Answer {
	e.Cache = labelHit
	return c.answer(o, &st.asked, c.extras(labelHit, st.took, st, waited), now)
}

// answer makes an answer of a stored response, whose file is the answer's then.
func (c *cached) answer(o *cache.Object, asked *cache.Asked, extra []message.Field, now int64) *plugins.Answer {
	r := o.Reply(asked, extra, now)
	a := &plugins.Answer{Status: r.Status, Fields: r.Fields, Body: r.Body, Content: true}
	if r.File != nil {
		a.File = &plugins.FilePart{File: r.File, Offset: r.Offset, Length: r.Length}
	}
	return a
}

// mark adds the fields to a response that goes to the client as it came.
func (c *cached) mark(e *plugins.Exchange, l label, st *state) {
	e.Cache = l
	f := &e.Response.Fields
	f.Append(message.Unknown, nameCache, labels[l][0])
	if l == labelBypass {
		return
	}
	f.Append(message.Unknown, nameStatus, labels[l][1])
	f.Append(message.Unknown, nameLookup, milliseconds(st.took))
	if st.waited {
		f.Append(message.Unknown, nameLock, milliseconds(time.Duration(max(e.CacheLock, 0))))
	}
}
