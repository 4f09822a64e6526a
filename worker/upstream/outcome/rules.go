package outcome

import (
	"time"

	"pingap/arena"
	"pingap/arena/backend"
	"pingap/config"
)

// Outcome is how a request to a backend ended. One with neither status nor failure says nothing.
type Outcome struct {
	Status    int  // of the response; 0 where no head came
	Failed    bool // no connection, a timeout, a broken answer: the backend's fault
	Cancelled bool // the client left: says nothing
}

// Statuses is a set of status codes.
type Statuses [10]uint64

// NewStatuses reads a comma list, which was checked.
func NewStatuses(list string) Statuses {
	var s Statuses
	codes, _ := config.StatusList(list)
	for _, code := range codes {
		s[code/64] |= 1 << (code % 64)
	}
	return s
}

// Has reports whether a code is in the set.
func (s *Statuses) Has(code int) bool {
	return code >= 0 && code < 64*len(s) && s[code/64]&(1<<(code%64)) != 0
}

// Rules say what outcomes mean for the backends of an upstream.
type Rules struct {
	stats    bool
	interval int64    // of the windows, in ns
	failures Statuses // with Breaker, and for statistics
	from500  bool     // failures are all of 500 and above

	breaker   bool
	row       uint64 // failures in a row that open it, 0 for off
	percent   uint64 // of the failures that opens it, 0 for off
	requests  uint64 // in the window below which percent is not looked at
	threshold int    // successes that close it, and probes at once
	openFor   int64  // ns

	ejectRow     uint64 // failures in a row that eject, 0 for off
	ejectStatus  Statuses
	ejectFor     int64 // ns, the first time
	ejectPercent int   // of a pool that may be out
}

// defaultWindow is the span of statistics where the configuration has none.
const defaultWindow = time.Minute

// Compile makes the rules of an upstream; nil where outcomes mean nothing.
func Compile(cfg *config.Upstream) *Rules {
	r := &Rules{
		stats: cfg.EnableBackendStats, interval: int64(cfg.BackendStatsInterval.Std()),
		failures: NewStatuses(cfg.BackendFailureStatusCode), row: uint64(max(cfg.CircuitBreakMaxConsecutiveFailures, 0)),
		requests: uint64(max(cfg.CircuitBreakMinRequestsThreshold, 0)), openFor: int64(cfg.CircuitBreakOpenDuration.Std()),
		threshold: min(max(cfg.CircuitBreakHalfOpenConsecutiveSuccessThreshold, 1), backend.MaxProbes),
		ejectRow:  uint64(max(cfg.EjectConsecutiveFailures, 0)), ejectStatus: NewStatuses(cfg.EjectStatus),
		ejectFor: int64(cfg.EjectDuration.Std()), ejectPercent: cfg.EjectMaxPercent,
	}
	r.from500 = r.failures == Statuses{}
	if p := cfg.CircuitBreakMaxFailurePercent; p > 0 && p <= 100 {
		r.percent = uint64(p)
	}
	if r.interval <= 0 {
		r.interval = int64(defaultWindow)
	}
	r.breaker = r.stats && (r.row > 0 || r.percent > 0) // without statistics it gets no data
	if r.ejectFor <= 0 {
		r.ejectRow = 0
	}
	if !r.stats && r.ejectRow == 0 {
		return nil
	}
	return r
}

// Guard reports whether backends may be kept out by these rules, which may be nil.
func (r *Rules) Guard() bool { return r != nil && (r.breaker || r.ejectRow > 0) }

// Verdict is what follows from an outcome.
type Verdict struct {
	Eject          bool // if Eject finds that it may be
	Opened, Closed bool // the breaker, by this very outcome
}

// Done counts what came of a request; probe is what Enter gave. now is the clock of package backend.
func (r *Rules) Done(rec *arena.Record, o Outcome, probe Probe, now int64) (v Verdict) {
	if o.Cancelled || o.Status == 0 && !o.Failed {
		r.returned(rec, probe)
		return v
	}
	failed := o.Failed || r.Fails(o.Status)
	if r.stats {
		r.count(rec, failed, now)
	}
	if r.breaker {
		v.Opened, v.Closed = r.judge(rec, failed, probe, now)
	}
	if r.ejectRow == 0 {
		return v
	}
	if failed = o.Failed || r.ejectStatus.Has(o.Status); !failed {
		reset(rec, backend.EjectRow)
		return v
	}
	v.Eject = rec.Word(backend.EjectRow).Add(1) >= r.ejectRow
	return v
}

// Fails reports whether a response counts as a failure by its status alone. r may be nil.
func (r *Rules) Fails(status int) bool {
	return r != nil && (r.failures.Has(status) || r.from500 && status >= 500)
}

// reset zeroes a word. It seldom is not zero, and reading disturbs nobody.
func reset(rec *arena.Record, word int) {
	if w := rec.Word(word); w.Load() != 0 {
		w.Store(0)
	}
}

// count counts a request in totals and window.
func (r *Rules) count(rec *arena.Record, failed bool, now int64) {
	rec.Word(backend.Requests).Add(1)
	if failed {
		rec.Word(backend.Failures).Add(1)
	}
	number := now / r.interval
	w := rec.Word(backend.WindowOf(number))
	for range tries {
		old := w.Load()
		if w.CompareAndSwap(old, uint64(backend.Window(old).Add(number, failed))) {
			return
		}
	}
}

// tries bounds how often a word is tried to be changed against others who change it.
const tries = 64

// failing reports whether the share of failures in the last full window is too high.
func (r *Rules) failing(rec *arena.Record, now int64) bool {
	if r.percent == 0 {
		return false
	}
	last := now/r.interval - 1
	requests, failures := backend.Window(rec.Word(backend.WindowOf(last)).Load()).Counts(last)
	return requests > 0 && requests >= r.requests && failures*100 >= r.percent*requests
}
