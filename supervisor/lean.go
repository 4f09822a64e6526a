package supervisor

import (
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"pingap/supervisor/pages"
)

// leanPause is how long after a change of state memory is given back: what comes of it has been done by then.
const leanPause = 200 * time.Millisecond

// leanAbove is how much may be resident before memory is given back without a change: what answers and heartbeats touch adds up, too.
const leanAbove = 16 << 20

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
	})
}
