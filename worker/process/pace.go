package process

import "time"

// Such work leaves the processor to requests again and again: with one thread they would otherwise wait until the scheduler
// preempts it, 10 ms at a time.
const (
	paceEvery = 32                     // objects between looks at the clock
	paceWork  = 300 * time.Microsecond // of work
	paceRest  = 100 * time.Microsecond // after it
)

// Pace makes work beside the serving of requests rest now and then. The zero value never does.
type Pace struct {
	on    bool
	count int
	since time.Time
}

// Serving returns a pace for work while requests are served.
func Serving() Pace { return Pace{on: true, since: time.Now()} }

// Step is called for each object.
func (p *Pace) Step() {
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
