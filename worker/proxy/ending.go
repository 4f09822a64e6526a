package proxy

import (
	"time"

	"pingap/message"
	"pingap/worker/drain"
)

// former is the last site that had a server, and in what time connections to that end.
type former struct {
	site *Site
	plan *drain.Plan
}

// retired are servers that the current site has not any more, by the index that their connections have. Values never change.
type retired map[int32]*former

// retire keeps what connections of servers that next has not are served from, until they have ended.
func (p *Proxy) retire(next *Site) {
	old := p.site.Load()
	if old == nil {
		return
	}
	all := retired{}
	if before := p.retired.Load(); before != nil {
		for i, e := range *before {
			if !next.has(i) {
				all[i] = e
			}
		}
	}
	for i := range old.Servers {
		if i := int32(i); old.has(i) && !next.has(i) {
			all[i] = &former{old, drain.Begin(message.Now(), drain.Times{IdleGrace: next.IdleGrace, Spread: next.IdleSpread})}
		}
	}
	p.retired.Store(none(all))
}

func none(r retired) *retired {
	if len(r) == 0 {
		return nil
	}
	return &r
}

func (s *Site) has(index int32) bool {
	return s != nil && index >= 0 && int(index) < len(s.Servers) && s.Servers[index] != nil
}

// siteOf is what requests of a listener's connections are served from: the current site, or the last that had its server.
func (p *Proxy) siteOf(index int32) *Site {
	site := p.site.Load()
	if site.has(index) {
		return site
	}
	if all := p.retired.Load(); all != nil {
		if e := (*all)[index]; e != nil {
			return e.site
		}
	}
	return nil
}

// ending returns how a connection is to end; nil while it is not.
func (p *Proxy) ending(index int32) *drain.Plan {
	if e := p.draining.Load(); e != nil {
		return e
	}
	if all := p.retired.Load(); all != nil {
		if e := (*all)[index]; e != nil { // of a server that has come back there is none
			return e.plan
		}
	}
	return nil
}

// forgetAfter is how long a retired server is kept at least: connections may still come out of its listener's queue.
const forgetAfter = int64(30 * time.Second)

// forget lets go of retired servers that have no connection any more. The sweeper calls it.
func (p *Proxy) forget(now int64) {
	all := p.retired.Load()
	if all == nil {
		return
	}
	used := map[int32]bool{}
	p.mu.Lock()
	for c := p.list.after; c != &p.list; c = c.after {
		used[c.server] = true
	}
	p.mu.Unlock()
	left := retired{}
	for i, e := range *all {
		if used[i] || now-e.plan.Since() < forgetAfter {
			left[i] = e
		}
	}
	if len(left) < len(*all) {
		p.retired.CompareAndSwap(all, none(left)) // a new site has come: next time
	}
}
