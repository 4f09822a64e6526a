package limit

import (
	"fmt"

	"pingap/arena"
	"pingap/plugins"
)

// notRunning is why an instance outside of a worker knows nothing.
const notRunning = "the counts are known to a running instance only"

// Foresee looks at the count of this host and takes nothing.
func (r *rate) Foresee(e *plugins.Exchange) plugins.Foresight {
	var scratch [scratchSize]byte
	value := r.client.value(e, scratch[:0])
	switch {
	case len(value) == 0:
		return plugins.Foresight{Why: "the request has nothing that it is counted by"}
	case r.store != nil:
		return plugins.Unknown("the count is in the storage, which several hosts share")
	case r.arena == nil:
		return plugins.Unknown(notRunning)
	}
	var v verdict
	v.ok, v.wait, v.charged = r.arena.WouldAllow(r.client.keys.Of(value), r.every, r.burst, arena.Now())
	used := r.standing(v).quota - r.standing(v).left
	if !v.ok {
		return plugins.Foresight{Decision: plugins.Respond(r.refuse(v), "rate above the limit"), Why: fmt.Sprintf("%d of %d are used, one more in %d s", used, r.burst, seconds(v.wait))}
	}
	return plugins.Foresight{Why: fmt.Sprintf("%d of %d are used", used, r.burst)}
}

// Foresee looks at the count and holds nothing.
func (i *inflight) Foresee(e *plugins.Exchange) plugins.Foresight {
	var scratch [scratchSize]byte
	value := i.client.value(e, scratch[:0])
	switch {
	case len(value) == 0:
		return plugins.Foresight{Why: "the request has nothing that it is counted by"}
	case i.arena == nil:
		return plugins.Unknown(notRunning)
	}
	held := i.arena.Held(i.client.keys.Of(value))
	f := plugins.Foresight{Why: fmt.Sprintf("%d of %d are in process", held, i.most)}
	if held >= i.most {
		f.Decision = plugins.Respond(i.refuse(held), "too many requests at a time")
	}
	return f
}
