package limit

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"pingap/arena"
	"pingap/message"
	"pingap/plugins"
)

// rate is an instance of type = "rate".
type rate struct {
	*common
	arena  *arena.Arena // nil in control, which serves nothing
	store  *store       // nil without storage
	every  time.Duration
	burst  int
	policy []byte // value of RateLimit-Policy
}

// verdict is what a rate says to a request.
type verdict struct {
	ok            bool
	wait, charged time.Duration // see arena.Allow
}

// newRate builds a rate; with serve in a worker it also begins to use its storage.
func newRate(p *plugins.Parameters, c *common, serve bool) (plugins.Plugin, error) {
	r := &rate{common: c}
	err := r.readRate(p)
	address, timeout, storageErr := readStorage(p)
	if err := errors.Join(err, storageErr); err != nil {
		return nil, err
	}
	window := seconds(min(r.every*time.Duration(max(r.burst, 1)), maxInterval))
	r.policy = fmt.Appendf(nil, "%s;q=%d;w=%d", r.label, r.burst, window)
	if services := p.Services(); services != nil && serve {
		r.arena = services.Arena
		if address != nil {
			r.store = newStore(address, timeout, p.Name(), r.every, r.burst, services.Log)
		}
	}
	if r.headers {
		return talkingRate{r}, nil
	}
	return r, nil
}

func (r *rate) readRate(p *plugins.Parameters) error {
	most, interval, burst := p.Int("max"), p.Duration("interval"), p.Int("burst")
	if !p.Has("burst") {
		burst = most
	}
	switch {
	case interval <= 0 || interval > maxInterval:
		return plugins.Errorf("interval", "expected more than 0 and at most 365 days, found %s", interval)
	case (most == 0) != (burst == 0):
		return plugins.Errorf("burst", "expected 0 if max is 0, and only then")
	case most == 0:
		r.every = interval
		return nil
	}
	// Rounded up, so that never more than max come in an interval.
	r.every, r.burst = (interval+time.Duration(most)-1)/time.Duration(most), int(burst)
	switch {
	case r.every < minEvery:
		return plugins.Errorf("max", "expected at most one request in each microsecond, found %d in %s", most, interval)
	case maxInterval/r.every < time.Duration(burst):
		return plugins.Errorf("burst", "expected what becomes free again in 365 days at most, %d", maxInterval/r.every)
	}
	return nil
}

// Decide refuses a request that is too much, and counts the others.
func (r *rate) Decide(e *plugins.Exchange) plugins.Decision {
	v, limited := r.ask(e)
	if !limited || v.ok {
		return plugins.Continue
	}
	e.Limited = message.LimitedByPlugin
	return plugins.Respond(r.refuse(v), "rate above the limit")
}

// ask returns what a request is told; false for one that is not limited.
func (r *rate) ask(e *plugins.Exchange) (v verdict, limited bool) {
	var scratch [scratchSize]byte
	value := r.client.value(e, scratch[:0])
	if len(value) == 0 || r.arena == nil {
		return verdict{}, false
	}
	if r.store != nil {
		if v, there := r.store.ask(value); there {
			return v, true
		}
	}
	v.ok, v.wait, v.charged = r.arena.Allow(r.client.keys.Of(value), r.every, r.burst, arena.Now())
	return v, true
}

func (r *rate) refuse(v verdict) *plugins.Answer {
	// How much of the burst would be gone with this request.
	value := strconv.FormatFloat(float64(r.burst)+float64(v.wait)/float64(r.every), 'f', 2, 64)
	a := refusal(value, r.burst)
	a.AddField("Retry-After", strconv.FormatInt(seconds(v.wait), 10))
	s := r.standing(v)
	s.policy = r.policy
	s.addTo(a.AddField, r.label)
	return a
}

func (r *rate) standing(v verdict) standing {
	used := int((v.charged + r.every - 1) / r.every)
	return standing{policy: r.policy, quota: int64(r.burst), left: int64(max(r.burst-used, 0)), reset: seconds(v.charged)}
}

// Close ends the use of the storage.
func (r *rate) Close() error {
	if r.store == nil {
		return nil
	}
	return r.store.close()
}

// talkingRate tells clients in responses, too, what is left for them.
type talkingRate struct{ *rate }

// Decide decides as rate does, and remembers what is left.
func (r talkingRate) Decide(e *plugins.Exchange) plugins.Decision {
	v, limited := r.ask(e)
	switch {
	case !limited:
	case !v.ok:
		e.Limited = message.LimitedByPlugin
		return plugins.Respond(r.refuse(v), "rate above the limit")
	default:
		t := r.tickets.get(r.common)
		t.standing = r.standing(v)
		e.AtEnd(t)
	}
	return plugins.Continue
}

// Response adds the fields.
func (r talkingRate) Response(e *plugins.Exchange) { r.tell(e) }
