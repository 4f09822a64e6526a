package outcome

import (
	"iter"

	"pingap/arena"
	"pingap/arena/backend"
)

// undecided marks the time of an ejection that may still be taken back.
const undecided = 1

// maxTimesFor is the longest ejection, in times of the first.
const maxTimesFor = 10

// Ejected reports whether a backend is out.
func (r *Rules) Ejected(rec *arena.Record, now int64) bool {
	if r.ejectRow == 0 {
		return false
	}
	w := rec.Word(backend.EjectedUntil)
	until := w.Load()
	if until == 0 || until&undecided != 0 {
		return false
	}
	if far(until, now, maxTimesFor*r.ejectFor) { // rubbish, or of a configuration that was
		w.CompareAndSwap(until, even(now+r.ejectFor))
		return true
	}
	return int64(until) > now
}

// Ejects reports whether any backend was ever ejected by these rules, which is cheap to find out.
func (r *Rules) ejects(rec *arena.Record) bool {
	return r.ejectRow > 0 && rec.Word(backend.EjectedUntil).Load() != 0
}

// Idle reports whether neither breaker nor ejection have anything to say, without a look at the clock.
func (r *Rules) Idle(rec *arena.Record) bool { return r.Closed(rec) && !r.ejects(rec) }

// Eject takes a backend out if as many of its pool, of which it is one, may be out as then are. Of several that are ejected at once by
// different processes all may be refused, and too many never are out: whoever decides last has seen all others.
func (r *Rules) Eject(rec *arena.Record, pool iter.Seq[*arena.Record], now int64) bool {
	w := rec.Word(backend.EjectedUntil)
	old := w.Load()
	if out(old, now) {
		return false
	}
	times := r.times(rec, old, now)
	until := even(now + r.lengthOf(times))
	if !w.CompareAndSwap(old, until|undecided) {
		return false
	}
	size, gone := 0, 0
	for other := range pool {
		size++
		if v := other.Word(backend.EjectedUntil).Load(); out(v, now) && !far(v, now, maxTimesFor*r.ejectFor) {
			gone++
		}
	}
	if gone > r.most(size) {
		w.CompareAndSwap(until|undecided, old)
		return false
	}
	rec.Word(backend.EjectTimes).Store(uint64(times))
	rec.Word(backend.EjectRow).Store(0)
	return w.CompareAndSwap(until|undecided, until)
}

func out(until uint64, now int64) bool { return until != 0 && int64(until) > now }

func even(t int64) uint64 { return uint64(t) &^ undecided }

// most is how many of a pool may be out.
func (r *Rules) most(size int) int {
	if size < 2 {
		return 0
	}
	return max(1, size*r.ejectPercent/100)
}

// times is which ejection in a row the next one is. Who served for as long as it was out before begins anew.
func (r *Rules) times(rec *arena.Record, back uint64, now int64) int {
	before := int(min(rec.Word(backend.EjectTimes).Load(), backend.MaxEjectTimes))
	if back == 0 || before == 0 || now-int64(back) > r.lengthOf(before) {
		return 1
	}
	return min(before+1, backend.MaxEjectTimes)
}

// lengthOf is how long a backend stays out: twice as long each time in a row.
func (r *Rules) lengthOf(times int) int64 {
	return min(r.ejectFor<<(times-1), maxTimesFor*r.ejectFor)
}

// BackSince is when a backend came back the last time, by itself or by its breaker; 0 for never.
func (r *Rules) BackSince(rec *arena.Record, now int64) int64 {
	since := int64(0)
	if t := rec.Word(backend.EjectedUntil).Load(); r.ejectRow > 0 && t&undecided == 0 && int64(t) <= now {
		since = int64(t)
	}
	if t := int64(rec.Word(backend.ClosedAt).Load()); r.breaker && t <= now {
		since = max(since, t)
	}
	return max(since, 0)
}
