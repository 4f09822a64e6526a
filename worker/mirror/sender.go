package mirror

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/worker/routines"
	"pingap/worker/upstream"
)

const (
	// maxInFlight bounds the copies on their way, maxHeld the bytes of all copies, those that are not complete yet included.
	maxInFlight = 256
	maxHeld     = 64 << 20
	// longest is the most that a copy may take, connecting included.
	longest = time.Minute
)

// Options of a Sender.
type Options struct {
	// Logger hears of panics. Required.
	Logger *zap.Logger
	// Mount makes the engine of a connection with HTTP/2, which other requests may share. Required.
	Mount upstream.Mounter
}

// Sender sends the copies of a worker. Its methods may be called by any goroutine.
type Sender struct {
	log      *zap.Logger
	mount    upstream.Mounter
	routines routines.Pool
	copies   sync.Pool // *Copy
	buffers  sync.Pool // *[readSize]byte

	ctx    context.Context // ends with Close: what is on its way is cut
	cancel context.CancelFunc
	closed atomic.Bool

	inFlight, held        atomic.Int64
	sent, dropped, failed atomic.Uint64
}

// Stats are figures of a worker.
type Stats struct {
	// InFlight are on their way, Held are the bytes of all copies.
	InFlight, Held int64
	// Sent got an answer, Failed got none, Dropped were not sent because there were too many.
	Sent, Failed, Dropped uint64
}

// New returns a Sender. Close ends it.
func New(o Options) *Sender {
	s := &Sender{log: o.Logger, mount: o.Mount}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Stats returns the figures.
func (s *Sender) Stats() Stats {
	return Stats{InFlight: s.inFlight.Load(), Held: s.held.Load(), Sent: s.sent.Load(), Failed: s.failed.Load(), Dropped: s.dropped.Load()}
}

// Trim lets goroutines end that have had nothing to do. It is called about once a second.
func (s *Sender) Trim() { s.routines.Trim() }

// endEvery is how often Close looks whether all has ended.
const endEvery = 5 * time.Millisecond

// Close gives what is on its way a moment, and cuts it then. Nothing is sent any more.
func (s *Sender) Close(moment time.Duration) {
	s.closed.Store(true)
	s.await(moment)
	s.cancel()
	s.await(moment) // being cut takes no time
	s.routines.Close()
}

// await waits until nothing is on its way, for limit at most.
func (s *Sender) await(limit time.Duration) {
	for end := time.Now().Add(limit); s.inFlight.Load() > 0 && time.Now().Before(end); {
		time.Sleep(endEvery)
	}
}

// start takes a place on the way. It reports whether there was one.
func (s *Sender) start() bool {
	if s.inFlight.Add(1) > maxInFlight || s.closed.Load() {
		s.inFlight.Add(-1)
		return false
	}
	return true
}

// Run implements routines.Task: it sends the copy and takes the answer.
func (c *Copy) Run() {
	s := c.s
	defer s.inFlight.Add(-1)
	defer c.Drop()
	u := c.target.Upstream
	b := u.Pick(&c.rec, nil)
	if b == nil {
		s.failed.Add(1)
		return
	}
	b.Begin()
	var o upstream.Outcome
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("mirroring panicked", zap.String("cause", fmt.Sprint(cause)), zap.ByteString("stack", debug.Stack()))
			o.Cancelled = true
		}
		b.Done(&c.rec, o)
		b.End()
	}()
	c.count(c.exchange(u, b, &o))
}

func (c *Copy) count(err error) {
	if err != nil {
		c.s.failed.Add(1)
		return
	}
	c.s.sent.Add(1)
}
