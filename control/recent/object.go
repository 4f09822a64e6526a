package recent

import (
	"time"

	"pingap/arena"
	"pingap/arena/tally"
)

// object is the instance, a location or an upstream.
type object struct {
	kind   tally.Kind
	name   string
	keys   []tally.Key
	gauges []string // names of the counters of what is under way

	seen    bool // last is known
	at      time.Time
	last    sums // up to at
	delta   sums // that came in the last span seconds
	span    float64
	current int64   // under way
	load    float64 // requests, those of long ago counting less
	idle    bool    // nothing was ever counted when it was looked at last
	track   *track  // nil where only the last second is known
}

// loadKeeps is the part of load that is left a sample later.
const loadKeeps = 0.98

// read looks at the totals. words is memory that may be used.
func (o *object) read(a *arena.Arena, now time.Time, words []int64) {
	var all sums
	o.idle = true
	for _, k := range o.keys {
		got, ok := tally.Read(a, k, words)
		if ok {
			all.add(k.Kind, got)
			o.idle = false
		}
	}
	o.current = o.underWay(a)
	if o.seen {
		o.delta, o.span = all.since(&o.last), now.Sub(o.at).Seconds()
	} else {
		o.delta, o.span = sums{}, 0
	}
	o.last, o.at, o.seen = all, now, true
	o.load = o.load*loadKeeps + float64(o.delta.requests)
}

// underWay is the sum of its gauges. One that nobody has counted in is not there.
func (o *object) underWay(a *arena.Arena) int64 {
	var sum int64
	for _, name := range o.gauges {
		if c, err := a.Counter(name); err == nil {
			sum += max(c.Load(), 0)
		}
	}
	return sum
}

// sample is the row of the last span.
func (o *object) sample() sample {
	s := unknown()
	if o.span > 0 {
		rates(&s, &o.delta, o.span)
	}
	s[connections] = float32(o.current)
	return s
}

// within is what came in the last so many samples, as far as it is known.
func (o *object) within(n uint64, samples int) (sums, float64) {
	if samples <= 1 || o.track == nil {
		return o.delta, o.span
	}
	return o.track.merged(n, samples)
}
