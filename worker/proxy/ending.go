package proxy

import (
	"time"

	"pingap/message"
)

// ending is how connections come to a soft end: answers say that the connection closes, and one that is idle stays usable for the
// grace, and then for its own part of the spread, so that not all clients come back at once.
type ending struct {
	site          *Site // what connections are served from, of servers that the current site has not
	since         int64 // on the clock of message.Now
	grace, spread int64 // ns
}

// over reports whether a connection that has been idle since then has used up its time.
func (e *ending) over(c *conn, since, now int64) bool {
	// A multiplicative hash of the connection's number: any share of the connections is spread evenly.
	const golden = 0x9e3779b97f4a7c15
	part := int64((c.info.ID * golden) >> 32) // of 2^32
	jitter := (e.spread >> 16) * (part >> 16)
	return now-max(e.since, since) > e.grace+jitter
}

// retired are servers that the current site has not any more, by the index that their connections have. Values never change.
type retired map[int32]*ending

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
			all[i] = &ending{site: old, since: message.Now(), grace: int64(next.IdleGrace), spread: int64(next.IdleSpread)}
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
func (p *Proxy) ending(index int32) *ending {
	if e := p.draining.Load(); e != nil {
		return e
	}
	if all := p.retired.Load(); all != nil {
		return (*all)[index] // of a server that has come back there is none
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
		if used[i] || now-e.since < forgetAfter {
			left[i] = e
		}
	}
	if len(left) < len(*all) {
		p.retired.CompareAndSwap(all, none(left)) // a new site has come: next time
	}
}
