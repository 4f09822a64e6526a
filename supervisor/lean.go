package supervisor

import (
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"pingap/supervisor/pages"
)

// leanPause is how long after a change of state memory is given back: what comes of it has been done by then.
const leanPause = 200 * time.Millisecond

// What answers and heartbeats touch adds up, too: memory is given back without a change where more than leanAbove is resident, and so
// much more than was left the last time. What is really in use is not looked through again and again.
const (
	leanAbove = 16 << 20
	leanMore  = 8 << 20
)

// leanIfGrown gives memory back where much has been touched since the last time.
func (s *supervisor) leanIfGrown() {
	if pages.Resident() > max(leanAbove, s.leanest+leanMore) {
		s.lean()
	}
}

// lean gives back soon what memory the last change has touched.
func (s *supervisor) lean() {
	if s.leaning {
		return
	}
	s.leaning = true
	s.after(leanPause, func() {
		s.leaning = false
		debug.FreeOSMemory() // a collection of some MiB takes less than that pause
		if err := pages.Release(); err != nil {
			s.log.Debug("memory is not given back", zap.Error(err))
		}
		s.leanest = pages.Resident()
	})
}
