package drain

import "sync/atomic"

// End is how a connection ended.
type End uint8

// Ends of a connection.
const (
	ByClient    End = iota // the client closed it, or it broke
	AfterAnswer            // we closed it after an answer that said so
	Idle                   // we closed it while it was idle
	Cut                    // we cut it in the middle
)

// Counts are how requests and connections ended while a worker drained.
type Counts struct {
	Finished    uint64 // requests that ended well
	Connections uint64 // connections that ended
	AfterAnswer uint64 // of these
	Idle        uint64 // of these
	Cut         int64  // of these
	CutWhy      map[string]int64
}

// Figures count ends. The zero value works; its methods may be called by any goroutine.
type Figures struct {
	finished atomic.Uint64
	ends     [Cut + 1]atomic.Uint64
	cuts     [whys]atomic.Int64
}

// Finish counts a request that ended well.
func (f *Figures) Finish() { f.finished.Add(1) }

// Count counts a connection that ended; why matters where it was cut.
func (f *Figures) Count(e End, why Why) {
	f.ends[e].Add(1)
	if e == Cut {
		f.cuts[why].Add(1)
	}
}

// Counts returns the sums so far.
func (f *Figures) Counts() Counts {
	c := Counts{Finished: f.finished.Load(), AfterAnswer: f.ends[AfterAnswer].Load(), Idle: f.ends[Idle].Load(),
		Cut: int64(f.ends[Cut].Load())}
	c.Connections = f.ends[ByClient].Load() + c.AfterAnswer + c.Idle + uint64(c.Cut)
	for why := range f.cuts {
		if n := f.cuts[why].Load(); n > 0 {
			if c.CutWhy == nil {
				c.CutWhy = map[string]int64{}
			}
			c.CutWhy[Why(why).String()] = n
		}
	}
	return c
}
