package process

import "time"

// Patience is how long a connection may be idle before it waits without a goroutine. Goroutine and stack are some KiB, giving them up and
// taking others some microseconds of the next request: with few connections time is dearer, with many memory. It is for one goroutine.
type Patience struct {
	most int64 // ns; negative for never
	now  int64 // as it is in this round
	idle int64 // connections that were idle in it
}

const (
	usualPatience = 1500 * time.Millisecond
	leastPatience = 200 * time.Millisecond
	// manyIdle is how many idle connections have all the time; with twice as many each has half.
	manyIdle = 1000
)

// NewPatience makes one of the time that few connections have; 0 is usual, negative is for ever.
func NewPatience(most time.Duration) Patience {
	if most == 0 {
		most = usualPatience
	}
	return Patience{most: int64(most), now: int64(most)}
}

// Over counts an idle connection, and says whether it has been so for too long. idle is in ns.
func (p *Patience) Over(idle int64) bool {
	p.idle++
	return p.now > 0 && idle > p.now
}

// Next begins a round: Over is called once in each for every connection that is idle and has a goroutine.
func (p *Patience) Next() {
	p.now = p.most
	if p.idle > manyIdle && p.most > int64(leastPatience) {
		p.now = max(p.most*manyIdle/p.idle, int64(leastPatience))
	}
	p.idle = 0
}
