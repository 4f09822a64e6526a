package outcome

import (
	"testing"

	"pingap/config"
)

func TestBudgetIsAShareOfRequestsAndAtLeastTenASecond(t *testing.T) {
	now := 1000 * second
	r := CompileRetry(&config.Upstream{RetryBudget: 20, RetryStatus: "502, 503", RetryNonIdempotent: true}, func() int64 { return now })
	spend := func() (n int) {
		for r.Budget.Spend() {
			n++
		}
		return n
	}
	if n := spend(); n != 110 {
		t.Errorf("%d at the start, want what is saved and ten", n)
	}
	for range 50 {
		r.Budget.Earn()
	}
	if n := spend(); n != 10 {
		t.Errorf("%d of 50 requests, want a fifth", n)
	}
	now += second / 2
	if n := spend(); n != 5 {
		t.Errorf("%d after half a second", n)
	}
	now += 3600 * second
	if n := spend(); n != 10 {
		t.Errorf("%d after an hour without requests", n)
	}
	for range 1_000_000 {
		r.Budget.Earn()
	}
	if n := spend(); n > 101 {
		t.Errorf("%d saved", n)
	}
	if !r.Status(502) || !r.Status(503) || r.Status(500) || r.Status(0) || r.Status(-1) || r.Status(9999) || !r.NonIdempotent {
		t.Error("statuses")
	}
}

func TestNoBudgetIsNoRetry(t *testing.T) {
	r := CompileRetry(&config.Upstream{}, func() int64 { return 5 })
	r.Budget.Earn()
	if r.Budget.Spend() {
		t.Error("spent")
	}
}
