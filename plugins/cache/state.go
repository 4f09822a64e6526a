package cache

import (
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/cache"
	"pingap/worker/cache/control"
)

// state is what is known of a request that went on, until its exchange is over.
type state struct {
	owner      *cached
	key        cache.Key
	text       string
	request    []message.Field // those of the client, copied
	asked      cache.Asked
	directives control.Directives
	head       bool          // the method is HEAD
	object     *cache.Object // stored and not fresh; nil for none
	validating bool          // its validators are the request's conditions
	refresh    bool          // nobody waits for the answer
	waited     bool
	took       time.Duration
	began      time.Time     // when it went on
	flight     *cache.Flight // that it leads; nil for none
	fill       *cache.Fill   // of the response; nil for none
	stored     bool
}

func (c *cached) begin(e *plugins.Exchange, m *miss) *state {
	st := &state{owner: c, key: m.key, text: string(c.key(nil, e)), request: cache.CopyFields(e.Request.Fields.List()), asked: m.asked, directives: m.directives,
		head: e.Request.MethodID == message.HEAD, object: m.object, took: m.took}
	st.asked.Keep()
	return st
}

// mayLead reports whether the response to a request is one that others can wait for: a whole one.
func (st *state) mayLead() bool {
	if st.head || st.asked.Range != nil {
		return false
	}
	if st.object != nil {
		return !st.object.Validate && st.object.Lifetime > 0 // else each asks for itself anyhow
	}
	return st.asked.IfNoneMatch == nil && st.asked.IfModifiedSince == nil
}

// ask has the upstream asked whether what is stored is still right (RFC 9111 section 4.3.1).
func (st *state) ask(e *plugins.Exchange) {
	st.began = time.Now()
	if st.object == nil {
		return
	}
	tag, modified := st.object.Validators()
	if tag == nil && modified == nil {
		return
	}
	st.validating = true
	f := &e.Request.Fields
	f.DelID(message.IfNoneMatch)
	f.DelID(message.IfModifiedSince)
	if tag != nil {
		f.AddID(message.IfNoneMatch, tag)
	}
	if modified != nil {
		f.AddID(message.IfModifiedSince, modified)
	}
}

// End gives everything back: who waits for this request need not any longer.
func (st *state) End(bool) {
	st.object.Close()
	if st.fill != nil {
		st.fill.End(false) // without effect where it was whole
	}
	if st.flight != nil {
		st.flight.End(cache.Failed)
		st.flight = nil
	}
	if st.refresh {
		st.refresh = false
		again := int64(0)
		if !st.stored {
			again = time.Now().Add(refreshPause).UnixNano()
		}
		st.owner.cache.Refreshed(st.key, again)
	}
}

// over ends the flight, if the request leads one.
func (st *state) over(r cache.Result) {
	if st.flight != nil {
		st.flight.End(r)
		st.flight = nil
	}
}
