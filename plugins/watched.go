package plugins

import (
	"sync/atomic"
	"time"
)

// Watched counts what an instance in shadow mode would have done. Any goroutine may use it.
type Watched struct {
	// Asked is how often it was asked to decide, Answered how often it would have answered.
	Asked, Answered atomic.Uint64

	told  atomic.Uint64 // Answered when it was last said
	since atomic.Int64  // when that was; 0 for never
}

// sayEvery is how often what an instance would have done is said.
const sayEvery = int64(time.Second)

// Would counts an answer that was not sent, at now (message.Now). It reports whether to say so, and how many there were since the last time.
func (w *Watched) Would(now int64) (count uint64, say bool) {
	all := w.Answered.Add(1)
	last := w.since.Load()
	if last != 0 && now-last < sayEvery || !w.since.CompareAndSwap(last, max(now, 1)) {
		return 0, false
	}
	return all - w.told.Swap(all), true
}
