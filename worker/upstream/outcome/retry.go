package outcome

import (
	"sync/atomic"
	"time"

	"pingap/config"
)

// Retry says what may be tried again at another backend. What failed to connect always may, and is no concern of the budget.
type Retry struct {
	// NonIdempotent allows requests that may not arrive twice, after they were sent.
	NonIdempotent bool
	// Budget bounds the retries of requests that were sent.
	Budget Budget

	statuses Statuses
}

// CompileRetry makes the rule of an upstream; now is its clock.
func CompileRetry(cfg *config.Upstream, now func() int64) *Retry {
	r := &Retry{NonIdempotent: cfg.RetryNonIdempotent, statuses: NewStatuses(cfg.RetryStatus)}
	r.Budget.now = now
	r.Budget.share = int64(cfg.RetryBudget)
	r.Budget.earned.Store(maxEarned)
	return r
}

// Status reports whether a response with a status may be tried again.
func (r *Retry) Status(code int) bool { return r.statuses.Has(code) }

const (
	// retryCost is what a retry costs: a request earns the percentage.
	retryCost = 100
	// maxEarned is what can be saved up: 100 retries at once, more only as requests come.
	maxEarned = 100 * retryCost
	// floorEvery is the time between retries that need not be earned, floorBurst how many of them may come at once.
	floorEvery = int64(time.Second / 10)
	floorBurst = 10
)

// Budget is how many retries there may be: a share of the requests, and ten a second beside.
type Budget struct {
	now    func() int64
	share  int64        // of each request, in percent; 0 is no retry at all
	earned atomic.Int64 // in parts of a retry
	floor  atomic.Int64 // when the burst that is free of charge is whole again, ns
}

// Earn counts a request.
func (b *Budget) Earn() {
	if b.share > 0 && b.earned.Load() < maxEarned { // nearly always full, and reading disturbs nobody
		b.earned.Add(b.share)
	}
}

// Spend takes one retry, if there is one.
func (b *Budget) Spend() bool {
	if b.share <= 0 {
		return false
	}
	if b.earned.Add(-retryCost) >= 0 {
		return true
	}
	b.earned.Add(retryCost)
	return b.spendFloor()
}

func (b *Budget) spendFloor() bool {
	now := b.now()
	for {
		at := b.floor.Load()
		next := max(at, now) + floorEvery
		if next > now+floorBurst*floorEvery {
			return false
		}
		if b.floor.CompareAndSwap(at, next) {
			return true
		}
	}
}
