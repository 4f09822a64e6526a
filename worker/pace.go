package worker

import "time"

// A build leaves the processor to requests again and again: with one thread they would otherwise wait until the scheduler
// preempts it, 10 ms at a time.
const (
	paceEvery = 32                     // objects between looks at the clock
	paceWork  = 300 * time.Microsecond // of work
	paceRest  = 100 * time.Microsecond // after it
)

// pace makes a build rest. The zero value never does: at the start nothing is served.
type pace struct {
	on    bool
	count int
	since time.Time
}

// step is called for each object.
func (p *pace) step() {
	if p.count++; !p.on || p.count%paceEvery != 0 {
		return
	}
	now := time.Now()
	if now.Sub(p.since) < paceWork {
		return
	}
	time.Sleep(paceRest)
	p.since = time.Now()
}
