package health

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Bounds of what is under way at once.
const (
	defaultSockets   = 4096 // ten thousand backends that do not answer, every 10 s, for 3 s each
	defaultExchanges = 512
)

// Options say what a Checker works with.
type Options struct {
	Log *zap.Logger // nil is none
	// Report gets changes and first results. Run calls it: it must not wait for anything. It may call Set.
	Report func(Result)
	// Version is told to backends in User-Agent.
	Version string
	// Sockets bounds the tcp and http checks at once; 0 is 4096, or a quarter of the descriptors that this process may have.
	Sockets int
	// Exchanges bounds the https and grpc checks at once; 0 is 512, or an eighth of the descriptors.
	Exchanges int
}

// Checker checks backends. New makes one.
type Checker struct {
	log    *zap.Logger
	report func(Result)
	agent  string
	began  time.Time
	wake   chan struct{} // holds one, when there is something in posted

	mu     sync.Mutex
	posted []func(now int64) // guarded by mu: for the loop to do
	ended  bool              // guarded by mu

	// What follows belongs to Run.
	groups    map[string]*group
	due       heap // targets at rest, and those that are under way by epoll
	sockets   line // tcp and http
	exchanges line // https and grpc
	poll      *poller
	spares    spares
	chosen    ports
	idle      int    // connections kept by targets at rest
	in, out   []byte // for reading, and for requests
	lacked    int64  // when a check could not be made and it was said
	ctx       context.Context
	running   sync.WaitGroup // of exchanges
}

// group are the targets of an upstream.
type group struct {
	name      string
	targets   map[string]*target
	unchecked int
	phase     float64 // of the interval, where its first target has its place
	placed    int     // targets that got a place so far
}

var (
	errNoAddress = errors.New("the address is a name that was not resolved")
	errEnded     = errors.New("the checker has been run already")
)

// New makes a checker that Run sets to work.
func New(opt Options) *Checker {
	c := &Checker{log: opt.Log, report: opt.Report, began: time.Now(), wake: make(chan struct{}, 1), groups: map[string]*group{}, chosen: chosenPorts()}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	if c.report == nil {
		c.report = func(Result) {}
	}
	c.agent = "pingap (health check)"
	if opt.Version != "" {
		c.agent = "pingap/" + opt.Version + " (health check)"
	}
	descriptors := 1024
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		descriptors = int(min(limit.Cur, 1<<20))
	}
	c.sockets.most, c.exchanges.most = opt.Sockets, opt.Exchanges
	if opt.Sockets == 0 {
		c.sockets.most = max(min(defaultSockets, descriptors/4), 1)
	}
	if opt.Exchanges == 0 {
		c.exchanges.most = max(min(defaultExchanges, descriptors/8), 1)
	}
	return c
}

// Set replaces the targets of an upstream; none forgets it. Targets whose Key stays keep their state, and with an equal check their counts, their
// schedule and that they were checked. New ones, and those with another check, are checked at once.
func (c *Checker) Set(upstream string, targets []Target) {
	c.post(func(now int64) { c.set(upstream, targets, now) })
}

// Again has those targets of an upstream checked at once that have never passed a check, and failed one.
func (c *Checker) Again(upstream string) {
	c.post(func(now int64) {
		g := c.groups[upstream]
		if g == nil {
			return
		}
		for _, t := range g.targets {
			if !t.proven && t.fails > 0 && t.line == nil && t.stage == resting {
				c.due.set(t, now)
			}
		}
	})
}

// post has the loop do something. It does not wait.
func (c *Checker) post(do func(now int64)) {
	c.mu.Lock()
	if !c.ended {
		c.posted = append(c.posted, do)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// doPosted does what was posted.
func (c *Checker) doPosted(now int64) {
	c.mu.Lock()
	posted := c.posted
	c.posted = nil
	c.mu.Unlock()
	for _, do := range posted {
		do(now)
	}
}

func (c *Checker) now() int64 { return int64(time.Since(c.began)) }

func (c *Checker) set(upstream string, targets []Target, now int64) {
	g := c.groups[upstream]
	if g == nil {
		g = &group{name: upstream, targets: map[string]*target{}, phase: rand.Float64()}
		c.groups[upstream] = g
	}
	wanted := make(map[string]bool, len(targets))
	for _, t := range targets {
		wanted[t.Key] = true
	}
	for key, t := range g.targets {
		if !wanted[key] {
			c.drop(t)
			delete(g.targets, key)
		}
	}
	fresh := 0
	for _, t := range targets {
		if have := g.targets[t.Key]; have != nil {
			fresh += c.change(have, t, now, fresh, len(targets))
			continue
		}
		n := takeUp(t, g)
		g.targets[t.Key] = n
		g.unchecked++
		c.first(n, now, fresh, len(targets))
		fresh++
	}
	if len(g.targets) == 0 {
		delete(c.groups, upstream)
	}
}

// change gives a target that stays another check or address; it returns 1 if it is to be checked at once.
func (c *Checker) change(have *target, t Target, now int64, fresh, all int) int {
	same := have.Check.same == t.Check.same && have.Address == t.Address
	if same {
		return 0
	}
	c.abort(have)
	have.Check, have.Address, have.to = t.Check, t.Address, nil
	have.passes, have.fails, have.early, have.slow = 0, 0, 0, false
	if have.checked {
		have.checked = false
		have.group.unchecked++
	}
	c.first(have, now, fresh, all)
	return 1
}

// abort ends the check of t that is under way, as if it had not begun, and what it keeps.
func (c *Checker) abort(t *target) {
	c.due.remove(t)
	c.shut(t)
	t.stage = resting
	if t.run != nil {
		t.run.cancel()
		t.run, t.line, t.busy = nil, nil, false // its end gives the place back, and closes the connection
	}
	if t.line != nil {
		t.line.leave(t)
	}
	t.kept.close()
	t.kept = nil
}

// drop forgets a target.
func (c *Checker) drop(t *target) {
	c.abort(t)
	if !t.checked {
		t.group.unchecked--
	}
}
