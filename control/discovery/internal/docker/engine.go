package docker

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// debounce is how long events are waited for that may come together.
	debounce = 500 * time.Millisecond
	// After a failure the engine is asked again after minRetry, then twice as long each time up to maxRetry.
	minRetry = time.Second
	maxRetry = 30 * time.Second
)

// Engine is the one client of a docker engine. Its methods are safe for concurrent use.
type Engine struct {
	client *client
	log    *zap.Logger

	mu      sync.Mutex // guards all that follows
	subs    map[*Subscription]bool
	end     context.CancelFunc // of the loop; nil: there is none
	ended   chan struct{}
	repoll  chan struct{} // capacity 1: the subscribers want another pace
	running []Container
	known   bool // there was a list, of this loop
	err     error
}

// New returns the client of the engine at a socket. It does nothing before somebody subscribes.
func New(socket string, log *zap.Logger) *Engine {
	return &Engine{client: newClient(socket), log: log.With(zap.String("socket", socket)), subs: map[*Subscription]bool{}, repoll: make(chan struct{}, 1)}
}

// Subscription keeps an Engine at work.
type Subscription struct {
	engine  *Engine
	poll    time.Duration
	changed chan struct{} // capacity 1
}

// Subscribe has the containers known, and asked for at least as often as poll says.
func (e *Engine) Subscribe(poll time.Duration) *Subscription {
	s := &Subscription{engine: e, poll: poll, changed: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs[s] = true
	signal(e.repoll)
	if e.known || e.err != nil {
		signal(s.changed)
	}
	if e.end != nil {
		return s
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.end, e.ended = cancel, make(chan struct{})
	e.known, e.err, e.running = false, nil, nil
	go e.run(ctx, e.ended) // ends with the last subscription, which waits for it
	return s
}

// Changed tells that Containers has something else to say, or for the first time something.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Close ends the subscription. With the last one the Engine stops.
func (s *Subscription) Close() {
	e := s.engine
	e.mu.Lock()
	delete(e.subs, s)
	signal(e.repoll)
	end, ended := e.end, e.ended
	last := len(e.subs) == 0 && end != nil
	if last {
		e.end = nil
	}
	e.mu.Unlock()
	if last {
		end()
		<-ended
	}
}

// Containers returns those that run, by ID; they are not to be changed. The error is why there is nothing newer, or nothing at all.
func (e *Engine) Containers() ([]Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running, e.err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pace is the time between two lists where there are no events.
func (e *Engine) pace() time.Duration {
	const slowest = 5 * time.Minute
	e.mu.Lock()
	defer e.mu.Unlock()
	d := slowest
	for s := range e.subs {
		d = min(d, s.poll)
	}
	return d
}

// publish tells the subscribers what runs. Of an old loop nobody hears any more.
func (e *Engine) publish(ctx context.Context, running []Container, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		e.running, e.known = running, true
	}
	e.err = err
	for s := range e.subs {
		signal(s.changed)
	}
}

// loop is the engine's one goroutine that knows.
type loop struct {
	engine  *Engine
	tracker *tracker
	asked   time.Time     // when the last list was
	due     time.Time     // of the next list
	retry   time.Duration // after the next failure
	release time.Time     // when a container comes to be trusted; zero for never
}

func (e *Engine) run(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	defer e.client.http.CloseIdleConnections()
	news := make(chan event)
	var listening sync.WaitGroup
	listening.Go(func() { e.listen(ctx, news) }) // ends with ctx
	defer listening.Wait()
	l := &loop{engine: e, tracker: newTracker(), retry: minRetry, due: time.Now()}
	for {
		timer := time.NewTimer(time.Until(l.next()))
		select {
		case ev := <-news:
			l.hear(ctx, ev)
		case <-e.repoll:
			l.soon(l.asked.Add(e.pace()))
		case <-timer.C:
			l.wake(ctx)
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

func (l *loop) next() time.Time {
	if !l.release.IsZero() && l.release.Before(l.due) {
		return l.release
	}
	return l.due
}

// soon makes a list due at a time, unless it is due before.
func (l *loop) soon(at time.Time) {
	if at.Before(l.due) {
		l.due = at
	}
}

// wake does what is due.
func (l *loop) wake(ctx context.Context) {
	if now := time.Now(); now.Before(l.due) {
		l.retell(ctx, now)
		return
	}
	all, err := l.engine.client.list(ctx)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	l.asked = now
	if err != nil {
		l.engine.log.Debug("containers cannot be listed", zap.Error(err))
		l.due, l.retry = now.Add(l.retry+rand.N(l.retry/5)), min(2*l.retry, maxRetry)
		l.engine.publish(ctx, nil, err)
		return
	}
	pace := l.engine.pace()
	l.retry, l.due = minRetry, now.Add(pace-rand.N(pace/10))
	if l.tracker.list(all, now) {
		l.soon(now.Add(confirm))
	}
	l.tell(ctx, now)
}

// tell publishes what runs by now.
func (l *loop) tell(ctx context.Context, now time.Time) {
	var running []Container
	running, l.release = l.tracker.running(now)
	l.engine.publish(ctx, running, nil)
}

// retell does so between two lists. While there is something wrong, the next list does it.
func (l *loop) retell(ctx context.Context, now time.Time) {
	l.release = time.Time{}
	if l.engine.healthy() {
		l.tell(ctx, now)
	}
}

// hear takes in an event. After each the list is asked for; that a container stopped is known before.
func (l *loop) hear(ctx context.Context, ev event) {
	now := time.Now()
	if ev.Action == begun {
		l.due = now
		return
	}
	if l.soon(now.Add(debounce)); ev.Action == over {
		return
	}
	if ev.Type != "container" && ev.Type != "" {
		return
	}
	switch ev.Action {
	case "start":
		l.tracker.started(ev.Actor.ID, now)
	case "die", "stop", "pause", "destroy":
		if l.tracker.stopped(ev.Actor.ID) {
			l.retell(ctx, now)
		}
	}
}

// healthy says whether the last list could be had.
func (e *Engine) healthy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known && e.err == nil
}

// Events of our own: the stream is on, and is over.
const (
	begun = "(begun)"
	over  = "(over)"
)

// listen reads the engine's events, and connects again when they end.
func (e *Engine) listen(ctx context.Context, news chan<- event) {
	send := func(ev event) {
		select {
		case news <- ev:
		case <-ctx.Done():
		}
	}
	for retry := minRetry; ; {
		var since time.Time
		err := e.client.events(ctx, func() { since = time.Now(); send(event{Action: begun}) }, send)
		if ctx.Err() != nil {
			return
		}
		e.log.Debug("events of containers have ended", zap.Error(err))
		if !since.IsZero() {
			send(event{Action: over})
			if time.Since(since) > maxRetry {
				retry = minRetry
			}
		}
		timer := time.NewTimer(retry + rand.N(retry/5))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		retry = min(2*retry, maxRetry)
	}
}
