package endpoints

import (
	"time"

	words "pingap/arena/backend"
	"pingap/config"
	"pingap/ipc"
)

// State is what workers have found out about a backend, read from its record. Figures may be rubbish where a worker wrote some.
type State struct {
	// InFlight are the requests that it has from all workers; -1 where that is not known.
	InFlight int64 `json:"in_flight"`
	// Breaker is closed, open or half-open; empty where there is none.
	Breaker      string        `json:"breaker"`
	OpenFor      time.Duration `json:"open_for"` // ns, until it is tried again
	Probes       int           `json:"probes"`   // that are out, where it is half-open
	Successes    int           `json:"successes"`
	EjectedFor   time.Duration `json:"ejected_for"` // ns; 0 where it is not ejected
	EjectedTimes int           `json:"ejected_times"`
	Requests     uint64        `json:"requests"` // that ended, with enable_backend_stats
	Failures     uint64        `json:"failures"`

	// Windowed tells that there are figures of the last window of backend_stats_interval that is over; they are for metrics.
	Windowed                       bool   `json:"-"`
	WindowRequests, WindowFailures uint64 `json:"-"`
}

// readLocked reads the record of a backend, as far as its configuration makes use of it.
func (d *Directory) readLocked(record ipc.RecordRef, u *config.Upstream) State {
	none := State{InFlight: -1}
	if d.opt.Arena == nil {
		return none
	}
	r := d.opt.Arena.Record(record.Row, record.ID)
	if r == nil {
		return none
	}
	now := words.Now()
	s := words.Read(r, now)
	all := State{InFlight: max(0, s.InFlight), OpenFor: s.OpenFor, Probes: s.Probes, Successes: s.Successes, EjectedFor: s.EjectedFor, EjectedTimes: s.EjectTimes,
		Requests: s.Requests, Failures: s.Failures}
	if u.CircuitBreakMaxConsecutiveFailures > 0 || u.CircuitBreakMaxFailurePercent > 0 {
		all.Breaker = s.Breaker.String()
	}
	if span := int64(u.BackendStatsInterval.Std()); u.EnableBackendStats && span > 0 {
		last := now/span - 1
		all.Windowed = true
		all.WindowRequests, all.WindowFailures = words.Window(r.Word(words.WindowOf(last)).Load()).Counts(last)
	}
	return all
}
