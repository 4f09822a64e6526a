package cache

import (
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/worker/cache"
	"pingap/worker/cache/control"
)

// Decide answers with what is stored.
func (c *cached) Decide(e *plugins.Exchange) plugins.Decision {
	r := &e.Request
	if r.MethodID == message.OtherMethod && string(r.Method) == "PURGE" {
		return c.purge(e)
	}
	if r.MethodID != message.GET && r.MethodID != message.HEAD || r.BodyLength != 0 || c.skips(r) {
		return plugins.Continue
	}
	asked := cache.Scan(r.Fields.List())
	if asked.Upgrade || asked.Precondition {
		return plugins.Continue
	}
	d := control.NoDirectives()
	if asked.Control && !c.deaf {
		if d = control.ParseDirectives(r.Fields.List()); d.NoStore {
			return plugins.Continue
		}
	}
	begin := time.Now()
	var room [512]byte
	text := c.key(room[:0], e)
	key := c.cache.KeyOf(text)
	o := c.cache.Find(key, text, r.Fields.List())
	var took time.Duration // a look into memory takes less than the one at the clock
	if c.cache.Shared() {
		took = time.Since(begin)
	}
	e.CacheLookup = int64(took)
	if o != nil && o.Judge(&d, begin.UnixNano()) == cache.Fresh {
		return plugins.Respond(c.hit(e, o, &asked, took, begin.UnixNano()), "stored response")
	}
	return c.decideMiss(e, &miss{key: key, object: o, asked: asked, directives: d, begin: begin, took: took})
}

// miss is a request for which there is nothing fresh.
type miss struct {
	key        cache.Key
	object     *cache.Object
	asked      cache.Asked
	directives control.Directives
	begin      time.Time
	took       time.Duration
}

func (c *cached) decideMiss(e *plugins.Exchange, m *miss) plugins.Decision {
	now := m.begin.UnixNano()
	if o := m.object; o != nil {
		switch o.Judge(&m.directives, now) {
		case cache.Updating:
			return c.updating(e, m, now)
		case cache.Stale:
			return plugins.Respond(c.respond(e, o, &m.asked, labelStale, m.took, now), "stale response, which the client accepts")
		}
	}
	if m.directives.OnlyIfCached {
		m.object.Close()
		return plugins.Respond(plugins.Text(504, "Gateway Timeout"), "only-if-cached, and nothing is")
	}
	if e.Shadow {
		m.object.Close()
		return plugins.Continue
	}
	st := c.begin(e, m)
	if c.lock > 0 && st.mayLead() && !c.predictor.refused(m.key) {
		if answer := c.wait(e, st); answer != nil {
			return plugins.Respond(answer, "response to another request")
		}
	}
	e.State = st
	st.ask(e)
	return plugins.Continue
}

// updating answers with a stale response, and has it fetched anew if nobody else does.
func (c *cached) updating(e *plugins.Exchange, m *miss, now int64) plugins.Decision {
	o := m.object
	refresh := e.Request.MethodID == message.GET && !e.Shadow && c.cache.Refresh(m.key, now, now+int64(refreshMax))
	var st *state
	if refresh { // the state has an object of its own: files are closed by who has them
		again := *m
		again.object = c.cache.Find(m.key, c.key(nil, e), e.Request.Fields.List())
		if again.object != nil && again.object.Judge(&m.directives, now) == cache.Updating {
			st = c.begin(e, &again)
			st.refresh = true
		} else { // it is gone, or another worker has just fetched it
			again.object.Close()
			c.cache.Refreshed(m.key, 0)
		}
	}
	answer := c.respond(e, o, &m.asked, labelUpdating, m.took, now)
	if st == nil {
		return plugins.Respond(answer, "stale response, which is being fetched anew")
	}
	e.State = st
	st.ask(e)
	e.Request.Fields.DelID(message.Range)
	e.Request.Fields.DelID(message.IfRange)
	return plugins.Decision{Answer: answer, Refresh: true, Reason: "stale response, which is fetched anew"}
}

const (
	// refreshMax is how long a refresh is believed to be on its way; the upstream's own limits are shorter.
	refreshMax = time.Minute
	// refreshPause is the time after a refresh that failed in which there is no other.
	refreshPause = time.Second
)

// wait has a request lead a flight, or waits for the one that does. It returns an answer where that made one possible.
func (c *cached) wait(e *plugins.Exchange, st *state) *plugins.Answer {
	begin := time.Now()
	defer func() {
		if waited := time.Since(begin); st.waited {
			e.CacheLock = int64(waited)
		}
	}()
	for {
		left := c.lock - time.Since(begin)
		f, leads := c.cache.Join(st.key)
		if leads {
			st.flight = f
			st.waited = c.cache.LockAll(f, left) || st.waited
			answer := c.again(e, st, begin) // it may have come between the look and the lead
			if answer != nil {
				st.over(cache.Stored)
				st.End(false)
			}
			return answer
		}
		st.waited = true
		result, ok := f.Wait(left)
		switch {
		case !ok || result == cache.Refused:
			return nil
		case result == cache.Filling:
			if answer := c.follow(e, st, f, begin); answer != nil {
				return answer
			}
			if answer := c.again(e, st, begin); answer != nil {
				return answer
			}
			return nil
		case result == cache.Stored:
			answer := c.again(e, st, begin)
			if answer != nil {
				st.End(false)
			}
			return answer
		}
	}
}

// again looks once more into the store.
func (c *cached) again(e *plugins.Exchange, st *state, begin time.Time) *plugins.Answer {
	o := c.cache.Find(st.key, []byte(st.text), e.Request.Fields.List())
	if o == nil {
		return nil
	}
	now := time.Now().UnixNano()
	if o.Judge(&st.directives, now) != cache.Fresh {
		o.Close()
		return nil
	}
	return c.respondWaited(e, o, st, time.Since(begin), now)
}

// follow reads a response along that another request is fetching.
func (c *cached) follow(e *plugins.Exchange, st *state, f *cache.Flight, begin time.Time) *plugins.Answer {
	fill := f.Fill(e.Request.Fields.List())
	if fill == nil {
		return nil
	}
	now := time.Now().UnixNano()
	if fill.Head().Judge(&st.directives, now) != cache.Fresh {
		return nil
	}
	r := fill.Read()
	if r == nil {
		return nil
	}
	st.End(false)
	o := &cache.Object{Head: fill.Head()}
	asked := st.asked
	asked.Range = nil // it is not there yet
	e.Cache = labelHit
	answer := c.answer(o, &asked, c.extras(labelHit, st.took, st, time.Since(begin)), now)
	if answer.Status == 304 {
		_ = r.Close() // never fails
		return answer
	}
	answer.Body, answer.Stream = nil, r
	return answer
}

func (c *cached) skips(r *message.Request) bool {
	return c.skip != nil && c.skip.Match(r.Target)
}

// key appends the text of the request's key.
func (c *cached) key(dst []byte, e *plugins.Exchange) []byte {
	r := &e.Request
	dst = cache.AppendKey(dst, c.namespace, cache.Request{Secure: e.Conn.Secure(), Host: r.Host, Target: r.Target})
	return c.parts(dst, e)
}

func (c *cached) parts(dst []byte, e *plugins.Exchange) []byte {
	for _, name := range c.headers {
		dst = cache.AppendPart(dst, name, e.Request.Fields.List())
	}
	return dst
}
