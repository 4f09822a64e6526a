package events

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Bounds.
const (
	stopTime   = 1500 * time.Millisecond // to send what waits when the process is stopped; the supervisor waits for 2 s
	maxWaiting = 8 << 20                 // bytes of events that wait
	unknownMax = 200                     // events that wait while no configuration is known
)

// Options of New.
type Options struct {
	Log     *zap.Logger
	Version string // for User-Agent
	// Transport is what requests are made with; nil is one of the usual kind, which verifies certificates.
	Transport http.RoundTripper
	// Pace is the first wait before another attempt, which doubles up to sixty times it; 0 is a second.
	Pace time.Duration
	// Fold is how long events about one object are held after one was told; 0 is a second.
	Fold time.Duration
}

// Stats count events since the start.
type Stats struct {
	Sent    uint64
	Retried uint64 // attempts beyond the first of an event
	Failed  uint64 // that could not be delivered
	Dropped uint64 // that had no place in the queue, or waited when the process ended
	Waiting int
}

// Bus takes events and sends them. Its methods may be called by any goroutine.
type Bus struct {
	opt   Options
	from  place
	wake  chan struct{} // holds one
	pages *http.Client  // makes the requests; its time-out is not set

	mu       sync.Mutex // guards what follows; nothing is waited for under it
	settings Settings
	number   uint64        // of the configuration they are of
	known    bool          // some configuration is known
	changed  chan struct{} // closed when settings change
	queue    []*item       // oldest first
	bytes    int           // of their texts
	busy     map[string]int
	active   int
	folds    folds
	stats    Stats
	lastErr  string // of the last event that failed; empty once one was sent
}

// item is an event on its way.
type item struct {
	Event
	id string // Pingap-Delivery
}

func (i *item) size() int { return len(i.Title) + len(i.Message) + 256 }

// New makes a bus that keeps some events until Set, and sends none until Run.
func New(opt Options) *Bus {
	if opt.Pace <= 0 {
		opt.Pace = time.Second
	}
	if opt.Fold <= 0 {
		opt.Fold = time.Second
	}
	b := &Bus{opt: opt, from: here(), wake: make(chan struct{}, 1), changed: make(chan struct{}), busy: map[string]int{},
		folds: newFolds(opt.Fold)}
	b.pages = client(opt.Transport)
	return b
}

// Name is what the instance is called in the configuration that is known; empty for nothing.
func (b *Bus) Name() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings.Name
}

// Set says where events go from now on; number counts configurations, and an older one changes nothing. What waits and is not wanted any more
// is dropped, and what is being tried again is tried at once.
func (b *Bus) Set(number uint64, s Settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known && number < b.number {
		return
	}
	b.settings, b.number, b.known = s, number, true
	close(b.changed)
	b.changed = make(chan struct{})
	waiting := b.queue
	b.queue, b.bytes = nil, 0
	for _, i := range waiting {
		if s.wants(i.Category) {
			b.pushLocked(i)
		}
	}
	b.poke()
}

// Emit tells an event. It waits for nothing. A nil bus tells nobody.
func (b *Bus) Emit(e Event) {
	if b == nil {
		return
	}
	e = e.tidy()
	b.mu.Lock()
	told := b.folds.admit(e, time.Now())
	if told {
		b.takeLocked(e)
	}
	b.mu.Unlock()
	if told {
		b.log(e)
	}
	b.poke()
}

// log has every event in the application log.
func (b *Bus) log(e Event) {
	b.opt.Log.Info("event", zap.String("category", e.Category), zap.String("event_level", string(e.Level)), zap.String("title", e.Title),
		zap.String("message", e.Message), zap.String("object", e.Object), zap.Int("count", e.Count))
}

// takeLocked puts an event into the queue if it is wanted.
func (b *Bus) takeLocked(e Event) {
	if b.known && !b.settings.wants(e.Category) {
		return
	}
	if e.Count > 1 {
		e.Message += fmt.Sprintf(" (%d times in a short time)", e.Count)
	}
	b.pushLocked(&item{Event: e, id: delivery()})
}

// pushLocked makes room by dropping the oldest: what was is less worth than what is.
func (b *Bus) pushLocked(i *item) {
	most := b.settings.Queue
	if !b.known {
		most = unknownMax
	}
	b.queue = append(b.queue, i)
	b.bytes += i.size()
	lost := 0
	for len(b.queue) > 1 && (len(b.queue) > most || b.bytes > maxWaiting) {
		b.bytes -= b.queue[0].size()
		b.queue[0] = nil
		b.queue = b.queue[1:]
		lost++
	}
	if lost > 0 {
		if b.stats.Dropped == 0 {
			b.opt.Log.Warn("the oldest events are dropped: more wait for the webhook than webhook_queue allows")
		}
		b.stats.Dropped += uint64(lost)
	}
}

// delivery is a name for an event that no other has.
func delivery() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

func (b *Bus) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends, and then, for a moment, what waits still.
func (b *Bus) Run(ctx context.Context) {
	sending, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wg sync.WaitGroup
	b.work(ctx, sending, &wg)
	late := time.AfterFunc(stopTime, end)
	defer late.Stop()
	b.flush()
	b.work(sending, sending, &wg)
	end()
	wg.Wait()
	b.mu.Lock()
	left := len(b.queue)
	b.stats.Dropped += uint64(left)
	b.queue, b.bytes = nil, 0
	b.mu.Unlock()
	if left > 0 {
		b.opt.Log.Warn("events were not sent, as the process ends", zap.Int("events", left))
	}
}

// flush takes what was held into the queue.
func (b *Bus) flush() {
	b.mu.Lock()
	due := b.folds.end()
	for _, e := range due {
		b.takeLocked(e)
	}
	b.mu.Unlock()
	for _, e := range due {
		b.log(e)
	}
}

// work starts sending what may be sent until ctx ends; once that is the context of sending, until nothing is left.
func (b *Bus) work(ctx, sending context.Context, wg *sync.WaitGroup) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		b.mu.Lock()
		due, wait := b.folds.due(time.Now())
		for _, e := range due {
			b.takeLocked(e)
		}
		for i := b.nextLocked(); i != nil; i = b.nextLocked() {
			wg.Go(func() { // ends with sending
				b.deliver(sending, i)
				b.done(i)
			})
		}
		idle := b.active == 0 && (len(b.queue) == 0 || !b.known)
		b.mu.Unlock()
		for _, e := range due {
			b.log(e)
		}
		if idle && ctx == sending {
			return
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-timer.C:
		}
	}
}

// nextLocked takes the oldest event whose object none is being sent of; nil where none may be sent now.
func (b *Bus) nextLocked() *item {
	if !b.known || b.active >= max(b.settings.Parallel, 1) {
		return nil
	}
	for n, i := range b.queue {
		if b.busy[i.lane()] > 0 {
			continue
		}
		b.queue = append(b.queue[:n:n], b.queue[n+1:]...)
		b.bytes -= i.size()
		b.busy[i.lane()]++
		b.active++
		return i
	}
	return nil
}

// lane is what has its events sent one after the other.
func (i *item) lane() string {
	if i.Object == "" {
		return i.Category
	}
	return i.Object
}

func (b *Bus) done(i *item) {
	b.mu.Lock()
	b.active--
	if b.busy[i.lane()]--; b.busy[i.lane()] <= 0 {
		delete(b.busy, i.lane())
	}
	b.mu.Unlock()
	b.poke()
}

// Stats says what became of the events so far.
func (b *Bus) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Waiting = len(b.queue) + b.active
	return s
}

// Notes are for status.
func (b *Bus) Notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var notes []string
	if b.stats.Dropped > 0 {
		notes = append(notes, fmt.Sprintf("webhook: %d events were dropped since the start of control, more waited than webhook_queue allows", b.stats.Dropped))
	}
	if b.lastErr != "" {
		notes = append(notes, fmt.Sprintf("webhook: %d events could not be delivered since the start of control, the last: %s", b.stats.Failed, b.lastErr))
	}
	return notes
}
