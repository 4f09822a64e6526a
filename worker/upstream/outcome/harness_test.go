package outcome

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/arena/backend"
	"pingap/config"
)

const second = int64(time.Second)

// shared makes an arena, and mappings of it as n worker processes have them.
func shared(t testing.TB, n int) (*arena.Arena, []*arena.Arena) {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: n, Rows: 8, Records: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	var workers []*arena.Arena
	for column := range n {
		fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		w, err := arena.Map(fd, column)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		workers = append(workers, w)
	}
	return a, workers
}

// record gives one row to a backend, and returns it as two workers see it.
func record(t testing.TB) [2]*arena.Record {
	t.Helper()
	a, workers := shared(t, 2)
	if err := a.Claim(1, 7); err != nil {
		t.Fatal(err)
	}
	return [2]*arena.Record{workers[0].Record(1, 7), workers[1].Record(1, 7)}
}

// breaker is an upstream that opens after 3 failures in a row or half of at least 10, for 10 s, and closes after 2 successes.
func breaker() *config.Upstream {
	return &config.Upstream{EnableBackendStats: true, BackendStatsInterval: config.Duration(time.Minute),
		CircuitBreakMaxConsecutiveFailures: 3, CircuitBreakMaxFailurePercent: 50, CircuitBreakMinRequestsThreshold: 10,
		CircuitBreakHalfOpenConsecutiveSuccessThreshold: 2, CircuitBreakOpenDuration: config.Duration(10 * time.Second)}
}

func stateOf(r *arena.Record) backend.State {
	return backend.Word(r.Word(backend.BreakerState).Load()).State()
}
