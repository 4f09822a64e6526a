package backend

import (
	"time"

	"pingap/arena"
)

// Status is what a record says of its backend, for people. Figures may be rubbish where a worker wrote some.
type Status struct {
	Breaker           State
	OpenFor           time.Duration // until probes are let out, where it is open
	Probes, Successes int           // where it is half-open
	EjectedFor        time.Duration // 0 for not
	EjectTimes        int           // how often in a row
	BreakerRow        uint64        // failures in a row
	EjectRow          uint64
	InFlight          int64
	Requests          uint64 // that ended, with their failures, where statistics are on
	Failures          uint64
}

// Read reads a record. now is that of Now.
func Read(r *arena.Record, now int64) Status {
	w := Word(r.Word(BreakerState).Load())
	s := Status{
		Breaker: w.State(), InFlight: r.Held().Load(),
		BreakerRow: r.Word(BreakerRow).Load(), EjectRow: r.Word(EjectRow).Load(),
		Requests: r.Word(Requests).Load(), Failures: r.Word(Failures).Load(),
	}
	switch s.Breaker {
	case Open:
		s.OpenFor = left(r.Word(BreakerTime).Load(), now)
	case HalfOpen:
		s.Probes, s.Successes = w.Probes(), w.Successes()
	}
	if until := r.Word(EjectedUntil).Load(); until&1 == 0 {
		s.EjectedFor = left(until, now)
	}
	if s.EjectedFor > 0 {
		s.EjectTimes = int(min(r.Word(EjectTimes).Load(), MaxEjectTimes))
	}
	return s
}

// MaxEjectTimes is where an ejection gets no longer: 1, 2, 4, 8, then 10 times eject_duration.
const MaxEjectTimes = 5

func left(until uint64, now int64) time.Duration {
	return max(0, time.Duration(int64(until)-now))
}
