package supervisor

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// slot is the place of one process over all its lives.
type slot struct {
	role       string
	number     int
	of         int // workers of its generation
	generation int
	current    *child // nil while there is none
	failures   int    // ends in a row without a long life as ready between them
	restarts   int
	lastExit   string
	respawn    *timer
	wanted     bool            // to be spawned when the running apply has ended
	runAs      *ipc.Credential // control: its processes start with it; nil until one has given up root by itself
}

func (sl *slot) name() string {
	if sl.role == ipc.RoleControl {
		return sl.role
	}
	return fmt.Sprintf("%s %d", sl.role, sl.number)
}

// lost is called when a slot has no process and should have one.
func (s *supervisor) lost(sl *slot, how string) {
	sl.failures++
	sl.restarts++
	wait := s.backoff(sl.failures)
	s.log.Warn("will be started again", zap.String("role", sl.role), zap.Int("slot", sl.number),
		zap.String("after", how), zap.Int("failures", sl.failures), zap.Duration("wait", wait))
	sl.respawn.cancel()
	sl.respawn = s.after(wait, func() { s.spawn(sl) })
}

// backoff: at once after the first failure, then with full jitter below a bound that doubles.
func (s *supervisor) backoff(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	bound := s.o.Timings.BackoffStep
	for range failures - 2 {
		if bound *= 2; bound >= s.o.Timings.BackoffMax {
			bound = s.o.Timings.BackoffMax
			break
		}
	}
	return rand.N(bound) + 1
}

// workerCount is how many slots a version wants.
func (s *supervisor) workerCount(v ipc.Settings) int {
	n := s.o.Workers
	if n <= 0 {
		n = v.Workers
	}
	if n <= 0 {
		n = 2
		if runtime.NumCPU() <= 2 {
			n = 1
		}
	}
	return min(n, MaxWorkers)
}

// threads is a worker's share of all threads, rounded up.
func threads(v *version, workers int) int {
	total := v.settings.Threads
	if total <= 0 {
		total = runtime.NumCPU()
	}
	return (total + workers - 1) / workers
}

// newSlots are the places of a generation.
func newSlots(n, generation int) []*slot {
	slots := make([]*slot, n)
	for i := range slots {
		slots[i] = &slot{role: ipc.RoleWorker, number: i, of: n, generation: generation}
	}
	return slots
}
