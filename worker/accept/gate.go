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
	max      atomic.Int64
	accepted atomic.Int64
	pauses   atomic.Uint64
	starved  atomic.Bool
}

// NewGate returns a gate for connections of which the engine counts those that have ended. A connection that its
// goroutine has not registered yet counts as open.
func NewGate(ended func() int64) *Gate { return &Gate{ended: ended} }

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

func (g *Gate) full() bool { return g.Open() >= g.max.Load() }

// SetMax sets how many connections there may be: as configured, and at most half of the descriptors that are left, as each
// may need one to an upstream. With more, requests would fail that can wait in the queue of the socket.
func (g *Gate) SetMax(configured, listeners int) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		limit.Cur = 1024 // what every system grants
	}
	files := int64(min(limit.Cur, 1<<30))
	most := max(1, (files-reserve-int64(listeners))/2)
	if configured > 0 {
		most = min(most, int64(configured))
	}
	g.max.Store(most)
}
