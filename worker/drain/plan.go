package drain

import (
	"sync/atomic"
	"time"
)

// Times say how long what is there may go on.
type Times struct {
	IdleGrace time.Duration // an idle connection stays usable so long
	Spread    time.Duration // then idle connections are closed over this time
	Timeout   time.Duration // then requests are cut
	// LongTimeout is when tunnels, event streams and long downloads end, unless their location says otherwise; over Spread as
	// well. 0 is Timeout for everything, whatever locations say, and without a spread.
	LongTimeout time.Duration
}

// Plan is a soft end that has begun. Its methods may be called by any goroutine.
type Plan struct {
	Times
	since int64        // when it began, in ns on the caller's clock
	hurry atomic.Int64 // everything ends at this moment; 0 for not
}

// Begin returns the plan of an end that begins now.
func Begin(now int64, t Times) *Plan { return &Plan{Times: t, since: now} }

// Since is when the end began.
func (p *Plan) Since() int64 { return p.since }

// Hurry leaves at most d from now on.
func (p *Plan) Hurry(now int64, d time.Duration) {
	at := max(1, now+int64(d))
	for {
		old := p.hurry.Load()
		if old != 0 && old <= at || p.hurry.CompareAndSwap(old, at) {
			return
		}
	}
}

// IdleOver reports whether a connection, idle since then, has used up its time. id is the connection's number.
func (p *Plan) IdleOver(id uint64, since, now int64) bool {
	return now-max(p.since, since) > int64(p.IdleGrace)+p.part(id)
}

// part is a connection's own part of the spread: a multiplicative hash of its number, so that any selection of connections is
// spread evenly.
func (p *Plan) part(id uint64) int64 {
	const golden = 0x9e3779b97f4a7c15
	return int64(p.Spread) >> 16 * int64((id*golden)>>48)
}

// Why a connection was cut.
type Why uint32

// Reasons of a cut, as Figures name them; NotCut is none.
const (
	NotCut Why = iota
	Timeout
	LongTimeout
	Faster
	Stop
	whys
)

func (w Why) String() string {
	return [whys]string{"", "timeout", "long_timeout", "faster", "stop"}[w]
}

// Over reports why a connection that is at work is to be cut now, or NotCut. long tells that it is a tunnel, an event stream or a long
// download, own is what its location says about that, 0 for nothing.
func (p *Plan) Over(id uint64, long bool, own time.Duration, now int64) Why {
	limit, why := p.Timeout, Timeout
	jitter := int64(0)
	if long && p.LongTimeout > 0 {
		limit, why, jitter = p.LongTimeout, LongTimeout, p.part(id)
		if own > 0 {
			limit = own
		}
	}
	if h := p.hurry.Load(); h != 0 && now >= h {
		return Faster
	}
	if now-p.since > int64(limit)+jitter {
		return why
	}
	return NotCut
}
