package telemetry

import (
	"sync"
	"time"
)

// calmTime is how long no line may have been lost before that is over. It bounds what is said of a target that fails again and
// again: two reports in such a time.
const calmTime = 10 * time.Second

// Loss is what WriterOptions.Report is told: once when lines begin to be lost, once when that is over.
type Loss struct {
	// Lost counts the lines lost since it began.
	Lost uint64
	// Err is what the target last answered; nil where the buffer was full, because the target takes too little.
	Err error
	// Over says that the target has taken lines again, and that none was lost for some seconds.
	Over bool
}

// losses finds the beginning and the end of a time in which lines are lost.
type losses struct {
	mu     sync.Mutex // guards all below
	calm   time.Duration
	losing bool
	before uint64    // lost when it began
	seen   uint64    // lost when last looked
	at     time.Time // when seen last changed
	taken  bool      // lines were written since then
	err    error     // the last
}

// wrote notes the outcome of a write.
func (l *losses) wrote(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = err == nil
	if err != nil {
		l.err = err
	}
}

// look returns what is to be said now that total lines are lost; ok is false for nothing. Looking once in calm is enough.
func (l *losses) look(total uint64, now time.Time) (loss Loss, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if total != l.seen {
		began := !l.losing
		if began {
			l.losing, l.before = true, l.seen
		}
		l.seen, l.at, l.taken = total, now, false
		return Loss{Lost: total - l.before, Err: l.err}, began
	}
	if !l.losing || !l.taken || now.Sub(l.at) < l.calm {
		return Loss{}, false
	}
	loss = Loss{Lost: total - l.before, Err: l.err, Over: true}
	l.losing, l.err = false, nil
	return loss, true
}

// open reports whether the end is still to be told.
func (l *losses) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.losing
}
