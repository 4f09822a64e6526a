package process

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Trimmer gives memory back to the system when many connections have been parked: the stacks of their
// goroutines are free then, but an idle process collects no garbage by itself.
type Trimmer struct {
	before  int64 // parked at the last look
	trimmed int64 // parked when memory was last given back
	at      int64 // when that was
}

const (
	// trimAfter is how many more connections must be parked for a collection to be worth it.
	trimAfter = 500
	// trimEvery is the least time between two collections.
	trimEvery = 10 * time.Second
)

// Look is called twice a second, with the connections that are parked and the time in ns. It acts when the number of parked connections has stopped growing:
// shed gives up what is kept to be used again, such as goroutines.
func (t *Trimmer) Look(parked, now int64, shed func()) {
	settled := parked <= t.before+t.before/50+8 // handshakes make connections come slowly
	t.before = parked
	t.trimmed = min(t.trimmed, parked)
	if !settled || parked < t.trimmed+trimAfter || t.at != 0 && now-t.at < int64(trimEvery) {
		return
	}
	t.trimmed, t.at = parked, now
	shed()
	runtime.GC() // pools give up what they hold only in their second collection
	debug.FreeOSMemory()
}
