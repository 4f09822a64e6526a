package outcome

import (
	"pingap/arena"
	"pingap/arena/backend"
)

// Probe says which half-open state of a breaker let a request out; 0 is none, for all other requests.
type Probe uint64

const isProbe = 1 << 32

func probeOf(w backend.Word) Probe { return Probe(isProbe | uint64(w.Generation())) }

// of reports whether the probe was let out by the state of this word, so that what comes of it counts.
func (p Probe) of(w backend.Word) bool {
	return p != 0 && w.State() == backend.HalfOpen && p == probeOf(w)
}

// Admits reports whether the breaker would let a request through. It changes nothing.
func (r *Rules) Admits(rec *arena.Record, now int64) bool {
	w := backend.Word(rec.Word(backend.BreakerState).Load())
	switch w.State() {
	case backend.Open:
		return r.waited(rec, now)
	case backend.HalfOpen:
		return w.Probes() < r.threshold || r.lost(rec, now)
	}
	return true
}

// Closed reports whether the breaker has nothing to say, which is cheap to find out.
func (r *Rules) Closed(rec *arena.Record) bool {
	return !r.breaker || backend.Word(rec.Word(backend.BreakerState).Load()).State() == backend.Closed
}

// Enter lets a request through, or does not. Its probe is to be given to Done, or to Leave where nothing is sent.
func (r *Rules) Enter(rec *arena.Record, now int64) (Probe, bool) {
	word := rec.Word(backend.BreakerState)
	for range tries {
		w := backend.Word(word.Load())
		var next backend.Word
		switch {
		case w.State() == backend.Closed:
			return 0, true
		case w.State() == backend.Open:
			if !r.waited(rec, now) {
				return 0, false
			}
			next = backend.NewWord(backend.HalfOpen, w.Generation()+1, 1, 0)
		case w.Probes() < r.threshold:
			next = backend.NewWord(backend.HalfOpen, w.Generation(), w.Probes()+1, w.Successes())
		case r.lost(rec, now):
			next = backend.NewWord(backend.HalfOpen, w.Generation()+1, 1, w.Successes())
		default:
			return 0, false
		}
		rec.Word(backend.BreakerTime).Store(uint64(now))
		if word.CompareAndSwap(uint64(w), uint64(next)) {
			return probeOf(next), true
		}
	}
	return 0, false
}

// Leave gives back what Enter gave for a request that is not sent.
func (r *Rules) Leave(rec *arena.Record, probe Probe) { r.returned(rec, probe) }

// waited reports whether an open breaker has been open for long enough. A time that is further off than it can be is rubbish, or of
// a configuration that was: the wait begins anew.
func (r *Rules) waited(rec *arena.Record, now int64) bool {
	t := rec.Word(backend.BreakerTime)
	until := t.Load()
	if far(until, now, r.openFor) {
		t.CompareAndSwap(until, uint64(now+r.openFor))
		return false
	}
	return int64(until) <= now
}

// lost reports whether no probe was let out for so long that those that are out do not count.
func (r *Rules) lost(rec *arena.Record, now int64) bool {
	t := rec.Word(backend.BreakerTime)
	last := t.Load()
	if far(last, now, 0) {
		t.CompareAndSwap(last, uint64(now))
		return false
	}
	return now-int64(last) > r.openFor
}

// far reports whether a time is more than length after now, or none at all.
func far(t uint64, now, length int64) bool { return int64(t) < 0 || int64(t)-now > length }

// judge tells the breaker of an outcome.
func (r *Rules) judge(rec *arena.Record, failed bool, probe Probe, now int64) {
	if probe != 0 {
		r.probed(rec, failed, probe, now)
		return
	}
	if !failed {
		reset(rec, backend.BreakerRow)
		return
	}
	row := rec.Word(backend.BreakerRow).Add(1)
	word := rec.Word(backend.BreakerState)
	w := backend.Word(word.Load())
	if w.State() == backend.Closed && (r.row > 0 && row >= r.row || r.failing(rec, now)) {
		r.open(rec, w, now)
	}
}

// open opens the breaker, if its word still is w. The time is there before the state, so that nobody sees the state without it.
func (r *Rules) open(rec *arena.Record, w backend.Word, now int64) bool {
	rec.Word(backend.BreakerTime).Store(uint64(now + r.openFor))
	next := backend.NewWord(backend.Open, w.Generation()+1, 0, 0)
	return rec.Word(backend.BreakerState).CompareAndSwap(uint64(w), uint64(next))
}

// probed takes the outcome of a probe. That of a state which is over says nothing.
func (r *Rules) probed(rec *arena.Record, failed bool, probe Probe, now int64) {
	word := rec.Word(backend.BreakerState)
	for range tries {
		w := backend.Word(word.Load())
		switch {
		case !probe.of(w):
			return
		case failed:
			if r.open(rec, w, now) {
				return
			}
			continue
		}
		next := backend.NewWord(backend.HalfOpen, w.Generation(), max(w.Probes()-1, 0), w.Successes()+1)
		if w.Successes()+1 >= r.threshold {
			r.forget(rec, now)
			next = backend.NewWord(backend.Closed, w.Generation()+1, 0, 0)
		}
		if word.CompareAndSwap(uint64(w), uint64(next)) {
			return
		}
	}
}

// forget drops what would open the breaker again as soon as it is closed.
func (r *Rules) forget(rec *arena.Record, now int64) {
	rec.Word(backend.BreakerRow).Store(0)
	rec.Word(backend.WindowEven).Store(0)
	rec.Word(backend.WindowOdd).Store(0)
	rec.Word(backend.ClosedAt).Store(uint64(now))
}

// returned gives back the place of a probe that ended as nothing.
func (r *Rules) returned(rec *arena.Record, probe Probe) {
	if probe == 0 {
		return
	}
	word := rec.Word(backend.BreakerState)
	for range tries {
		w := backend.Word(word.Load())
		if !probe.of(w) {
			return
		}
		next := backend.NewWord(backend.HalfOpen, w.Generation(), max(w.Probes()-1, 0), w.Successes())
		if word.CompareAndSwap(uint64(w), uint64(next)) {
			return
		}
	}
}
