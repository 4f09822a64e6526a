package jwt

import (
	"time"

	"pingap/plugins"
)

// Foresee decides as Decide does, unless that would fetch keys.
func (g *guard) Foresee(e *plugins.Exchange) plugins.Foresight {
	if set, fetched := g.keys.(*keySet); fetched {
		known := set.known.Load()
		if _, o := g.place.find(&e.Request); o == passed && !g.isAuthPath(e) && time.Since(known.at) >= set.ttl {
			return plugins.Unknown("its keys would be fetched from " + set.url.Host)
		}
	}
	return plugins.Foresight{Decision: g.Decide(e)}
}
