package load

import (
	"crypto/tls"
	"sync"
	"time"
)

// Mix is a number of clients of one kind.
type Mix struct {
	Kind    Kind
	Clients int
	// Pause lies between two requests of a client, messages of a tunnel, or bytes of a Loris.
	Pause time.Duration
	// Takes is what a request itself takes: a Slow answer, an Upload's body, an event stream. It is no latency.
	Takes time.Duration
	// Distance is how long a request travels: a client writes on a connection that it keeps without knowing what the proxy did
	// to it in the meantime, as every client does that is further away than this machine. It is no latency.
	Distance time.Duration
	// Limit is what an answer may take beyond that; 0 is 30 s, which a loaded machine does not reach.
	Limit time.Duration
	// Streams is how many requests of Streams or Calls share a connection; 0 is 1. Each of them counts as a client.
	Streams int
}

// Usual is all kinds at once: n busy clients, and some of every other kind; answers and bodies take as long as given. It leaves
// room on two cores for a proxy and what happens to it.
func Usual(n int, answer, body time.Duration) []Mix {
	few := max(1, n/2)
	return []Mix{
		{Kind: Busy, Clients: n, Pause: time.Millisecond, Distance: time.Millisecond},
		{Kind: Idle, Clients: 2 * n, Pause: 200 * time.Millisecond, Distance: 5 * time.Millisecond},
		{Kind: Fresh, Clients: n, Pause: 2 * time.Millisecond},
		{Kind: Slow, Clients: n, Pause: 10 * time.Millisecond, Takes: answer},
		{Kind: Upload, Clients: few, Pause: 10 * time.Millisecond, Takes: body},
		{Kind: WebSocket, Clients: few, Pause: 20 * time.Millisecond},
		{Kind: Events, Clients: few, Takes: 2 * answer},
		{Kind: Loris, Clients: few, Pause: 200 * time.Millisecond},
	}
}

// Secure is all kinds that speak TLS at once, likewise.
func Secure(n int, answer, body time.Duration) []Mix {
	few := max(1, n/2)
	return []Mix{
		{Kind: SecureBusy, Clients: n, Pause: time.Millisecond, Distance: time.Millisecond},
		{Kind: SecureFresh, Clients: n, Pause: 5 * time.Millisecond},
		{Kind: SecureWebSocket, Clients: few, Pause: 20 * time.Millisecond},
		{Kind: Streams, Clients: n, Streams: 8, Pause: 5 * time.Millisecond, Takes: answer, Distance: 5 * time.Millisecond},
		{Kind: Streams, Clients: few, Streams: 8, Pause: 50 * time.Millisecond, Takes: answer, Distance: 300 * time.Millisecond},
		{Kind: Calls, Clients: few, Streams: 4, Pause: 20 * time.Millisecond, Takes: 2 * body, Distance: time.Millisecond},
	}
}

const (
	answerLimit  = 30 * time.Second
	failurePause = 10 * time.Millisecond // after a failure, so that a dead proxy is not asked as fast as it refuses
)

// Load is traffic that runs until Stop.
type Load struct {
	addr    string
	stopped chan struct{}
	stop    sync.Once
	clients sync.WaitGroup

	mu       sync.Mutex // guards all below
	began    time.Time
	kinds    [kinds]Tally
	keyed    uint64
	noise    uint64
	lastGood time.Time // end of the last good answer that counts for the gap
	gap      time.Duration
	gapAt    time.Duration
	series   []Slot
	failures []Failure
}

// Start begins with traffic to addr.
func Start(addr string, mixes ...Mix) *Load {
	l := &Load{addr: addr, stopped: make(chan struct{}), began: time.Now()}
	number := 0
	for _, m := range mixes {
		for range m.Clients {
			number = l.startClient(m, number)
		}
	}
	return l
}

// startClient starts one client, or as many as share its connection. It takes the last number in use and returns the one that is then.
func (l *Load) startClient(m Mix, number int) int {
	cache := tls.NewLRUClientSessionCache(0)
	if m.Kind != Streams && m.Kind != Calls {
		c := &client{load: l, mix: m, number: number + 1, sessions: cache}
		l.clients.Go(c.run) // ends after stopped, when its request has ended
		return number + 1
	}
	shared := newLink(l, m, cache)
	var users sync.WaitGroup
	for range max(1, m.Streams) {
		number++
		c := &client{load: l, mix: m, number: number, link: shared}
		users.Go(c.run) // likewise
	}
	l.clients.Go(func() { // ends after the last of them
		users.Wait()
		shared.close()
	})
	return number
}

// Stop lets no request begin any more and returns when those in flight have ended. A tunnel or event stream is ended by its
// client then.
func (l *Load) Stop() *Report {
	l.stop.Do(func() { close(l.stopped) })
	l.clients.Wait()
	return l.Report()
}

// OK is how many requests have ended well so far.
func (l *Load) OK() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n uint64
	for k := range l.kinds {
		n += l.kinds[k].OK()
	}
	return n
}

// Failed is how many requests have failed so far.
func (l *Load) Failed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n uint64
	for k := range l.kinds {
		n += l.kinds[k].Failed()
	}
	return n
}

// request is one that has begun.
type request struct {
	client *client
	n      uint64
	began  time.Time
	keyed  bool
}

// begin counts a request.
func (l *Load) begin(c *client, keyed bool) request {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[c.mix.Kind].Started++
	return request{c, c.n, time.Now(), keyed}
}

// end counts how a request ended; extra is what it took beyond what it had to.
func (l *Load) end(r request, extra time.Duration, err error) {
	now := time.Now()
	kind, outcome := r.client.mix.Kind, outcomeOf(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[kind].Ended[outcome]++
	slot := l.slot(now)
	if outcome != OK {
		slot.Failed++
		if len(l.failures) < maxFailures {
			l.failures = append(l.failures, Failure{kind, r.client.number, r.n, outcome, r.began, now, err})
		}
		return
	}
	l.kinds[kind].Extra.note(extra)
	slot.OK++
	slot.Extra = max(slot.Extra, extra)
	if r.keyed {
		l.keyed++
	}
	if kind.quick() {
		l.good(now)
	}
}

// good notes the time without answers that ends now. The caller holds mu.
func (l *Load) good(now time.Time) {
	if !l.lastGood.IsZero() && now.Sub(l.lastGood) > l.gap {
		l.gap, l.gapAt = now.Sub(l.lastGood), now.Sub(l.began)
	}
	l.lastGood = now
}

// slot is the one of a moment. The caller holds mu.
func (l *Load) slot(now time.Time) *Slot {
	n := int(now.Sub(l.began) / SlotTime)
	for len(l.series) <= n {
		l.series = append(l.series, Slot{})
	}
	return &l.series[n]
}

func (l *Load) reopened(k Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[k].Reopened++
}

// moved counts a request that the proxy sent away unprocessed.
func (l *Load) moved(k Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[k].Moved++
}

// led counts how the proxy has led a connection away that has ended.
func (l *Load) led(k Kind, abrupt bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if abrupt {
		l.kinds[k].Abrupt++
	}
}

// shook counts a TLS handshake.
func (l *Load) shook(k Kind, resumed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kinds[k].Handshakes++
	if resumed {
		l.kinds[k].Resumed++
	}
}

func (l *Load) madeNoise() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noise++
}

// ending says whether Stop was called.
func (l *Load) ending() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

// rest waits, at most until Stop, and says whether to go on.
func (l *Load) rest(d time.Duration) bool {
	if d <= 0 {
		return !l.ending()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.stopped:
		return false
	case <-t.C:
		return !l.ending()
	}
}
