package accept

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// reserve is the number of descriptors that clients and upstreams leave to everything else.
const reserve = 64

// Gate counts connections and says whether more may come. Its methods may be called by any goroutine.
type Gate struct {
	ended    func() int64 // connections that have ended, of those accepted
	resting  func() int64 // of those open, how many have been idle for a while
	max      atomic.Int64
	files    atomic.Int64 // descriptors for clients and upstreams together
	accepted atomic.Int64
	pauses   atomic.Uint64
	starved  atomic.Bool
}

// NewGate returns a gate for connections of which the engine counts those that have ended. A connection that its
// goroutine has not registered yet counts as open. resting counts those that have been idle for a while.
func NewGate(ended, resting func() int64) *Gate { return &Gate{ended: ended, resting: resting} }

// Accepted is the number of connections so far.
func (g *Gate) Accepted() int64 { return g.accepted.Load() }

// Count counts one more connection.
func (g *Gate) Count() { g.accepted.Add(1) }

// Starved reports whether accepting failed last for want of descriptors.
func (g *Gate) Starved() bool { return g.starved.Load() }

// Open is the number of connections that have not ended.
func (g *Gate) Open() int64 { return g.accepted.Load() - g.ended() }

// Max is how many there may be.
func (g *Gate) Max() int64 { return g.max.Load() }

// full reports whether the next connection has to wait in the queue of the socket: because there are as many as there may be, or because
// requests could fail for want of descriptors. A connection may need a second one, to an upstream, unless it rests.
func (g *Gate) full() bool {
	open := g.Open()
	return open >= g.max.Load() || 2*open-min(g.resting(), open) >= g.files.Load()
}

// SetMax sets how many connections there may be: as configured, or half of the descriptors that are left.
func (g *Gate) SetMax(configured, listeners int) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		limit.Cur = 1024 // what every system grants
	}
	files := int64(min(limit.Cur, 1<<30))
	left := max(2, files-reserve-int64(listeners))
	most := left / 2
	if configured > 0 {
		most = min(left, int64(configured))
	}
	g.files.Store(left)
	g.max.Store(most)
}
