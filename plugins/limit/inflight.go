package limit

import (
	"errors"
	"fmt"
	"strconv"

	"pingap/arena"
	"pingap/message"
	"pingap/plugins"
)

// inflight is an instance of type = "inflight".
type inflight struct {
	*common
	arena  *arena.Arena // nil in control, which serves nothing
	most   int64
	policy []byte // value of RateLimit-Policy
}

func newInflight(p *plugins.Parameters, c *common) (plugins.Plugin, error) {
	i := &inflight{common: c, most: p.Int("max")}
	var problems []error
	for _, key := range []string{"burst", "storage", "storage_timeout"} {
		if p.Has(key) {
			problems = append(problems, plugins.Errorf(key, "is for type rate: requests at a time are counted on each host by itself"))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	i.policy = fmt.Appendf(nil, `%s;q=%d;qu="concurrent-requests"`, i.label, i.most)
	if services := p.Services(); services != nil {
		i.arena = services.Arena
	}
	if i.headers {
		return talkingInflight{i}, nil
	}
	return i, nil
}

// Decide holds one of the places of the client until the exchange is over, or refuses the request.
func (i *inflight) Decide(e *plugins.Exchange) plugins.Decision {
	var scratch [scratchSize]byte
	value := i.client.value(e, scratch[:0])
	if len(value) == 0 || i.arena == nil {
		return plugins.Continue
	}
	hold, held, ok := i.arena.Acquire(i.client.keys.Of(value), i.most)
	if !ok {
		e.Limited = message.LimitedByPlugin
		return plugins.Respond(i.refuse(held), "too many requests at a time")
	}
	t := i.tickets.get(i.common)
	t.hold = hold
	t.standing = standing{policy: i.policy, quota: i.most, left: i.most - held, reset: unknown}
	e.AtEnd(t)
	return plugins.Continue
}

func (i *inflight) refuse(held int64) *plugins.Answer {
	a := refusal(strconv.FormatInt(max(held, i.most)+1, 10), int(i.most))
	a.AddField("Retry-After", "1") // nobody knows; what is not zero keeps clients from asking at once
	s := standing{policy: i.policy, quota: i.most, reset: unknown}
	s.addTo(a.AddField, i.label)
	return a
}

// talkingInflight tells clients in responses, too, what is left for them.
type talkingInflight struct{ *inflight }

// Response adds the fields.
func (i talkingInflight) Response(e *plugins.Exchange) { i.tell(e) }
