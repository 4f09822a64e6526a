package tally

import (
	"pingap/arena"
	"pingap/arena/tally"
)

// Beat brings what a worker counts for itself into the totals of the instance, now and then. One goroutine uses it.
type Beat struct {
	block *tally.Block
	told  Figures
}

// Figures are what a worker has counted since its start.
type Figures struct {
	LogDropped       uint64 // lines of access logs
	Traced, Untraced uint64 // requests whose spans a collector took, or did not
	// Copies of requests for a second upstream: answered, not answered, not sent.
	Mirrored, Unanswered, Unsent uint64
}

// Count adds what has come since the last call. Where there is no room for it nothing is counted, and it is tried again.
func (b *Beat) Count(a *arena.Arena, now Figures) {
	if now == b.told || a == nil {
		return
	}
	if b.block == nil {
		var err error
		if b.block, err = tally.Open(a, tally.Key{Kind: tally.HostBlock}); err != nil {
			return
		}
	}
	more := func(id tally.ID, value int, now, told uint64) {
		b.block.CountMany(id, value, int64(now-min(now, told)))
	}
	more(tally.LogDropped, 0, now.LogDropped, b.told.LogDropped)
	more(tally.Traced, 0, now.Traced, b.told.Traced)
	more(tally.Traced, 1, now.Untraced, b.told.Untraced)
	more(tally.Mirrored, 0, now.Mirrored, b.told.Mirrored)
	more(tally.Mirrored, 1, now.Unanswered, b.told.Unanswered)
	more(tally.Mirrored, 2, now.Unsent, b.told.Unsent)
	b.told = now
}
