package health

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
)

func TestThresholdsAndFirstStates(t *testing.T) {
	tests := []struct {
		name, url, initial string
		known              Known
		checks             string // + passes, - fails
		want               string // after each: H or U, with ! where it is told
	}{
		{"without a URL one failure is enough", "", "healthy", Unknown, "-+-", "U!H!U!"},
		{"with a URL it takes two", "tcp://a", "healthy", Unknown, "-+--+", "H!HHU!H!"},
		{"healthy from the start", "tcp://a?success=2", "healthy", Unknown, "+-+-", "H!HHH"},
		{"the first result alone", "tcp://a?success=3&failure=3", "first_result", Unknown, "-+++--", "U!UUH!HH"},
		{"the first result, a good one", "tcp://a?failure=2", "first_result", Unknown, "+--", "H!HU!"},
		{"the first success", "tcp://a?success=2", "first_success", Unknown, "-+++", "U!UH!H"},
		{"the first success in a row", "tcp://a?success=2", "first_success", Unknown, "+-++", "U!UUH!"},
		{"known to be unhealthy", "tcp://a?success=2", "healthy", KnownUnhealthy, "+-++", "U!UUH!"},
		{"known to be unhealthy, whatever comes first", "tcp://a?success=2", "first_result", KnownUnhealthy, "++", "U!H!"},
		{"known to be healthy", "tcp://a?failure=2", "first_success", KnownHealthy, "--", "H!U!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			told := false
			c := New(Options{Report: func(Result) { told = true }})
			g := &group{name: "u", unchecked: 1}
			n := takeUp(Target{Key: "k", Check: compile(t, config.Upstream{HealthCheck: tt.url, HealthInitial: tt.initial}), Known: tt.known}, g)
			for _, way := range tt.checks {
				told = false
				o := outcome{}
				if way == '-' {
					o = refused("no")
				}
				c.conclude(n, o)
				got += map[bool]string{true: "H", false: "U"}[n.healthy] + map[bool]string{true: "!"}[told]
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// door is a backend that can be opened and shut, at an address that stays.
type door struct {
	t  *testing.T
	to string
	ln net.Listener
}

func newDoor(t *testing.T) *door {
	d := &door{t: t, to: nobody(t)}
	d.open()
	t.Cleanup(d.shut)
	return d
}

func (d *door) open() {
	d.t.Helper()
	ln, err := net.Listen("tcp", d.to)
	if err != nil {
		d.t.Fatal(err)
	}
	d.ln = ln
}

func (d *door) shut() { d.ln.Close() }

func TestFlipsAreToldAndLogged(t *testing.T) {
	d := newDoor(t)
	r := newRig(t)
	r.c.Set("api", target1(d.to, check(t, "tcp://a?check_frequency=1s")))
	r.await(0)
	d.shut()
	if got := r.await(1); got.Healthy || got.First || got.Reason != "connection refused" || got.At.IsZero() {
		t.Errorf("%+v", got)
	}
	d.open()
	if got := r.await(2); !got.Healthy || got.First || got.Reason != "" {
		t.Errorf("%+v", got)
	}
	r.stop()
	var lines []string
	for _, e := range r.logged.All() {
		m := e.ContextMap()
		lines = append(lines, fmt.Sprint(e.Level, " ", e.Message, " ", m["upstream"], " ", m["address"] == d.to, " ", m["reason"]))
	}
	want := []string{"warn backend is unhealthy api true connection refused", "info backend is healthy api true <nil>"}
	if !slices.Equal(lines, want) {
		t.Errorf("logged %q", lines)
	}
}

// counting is a backend that counts its connections and when they came.
type counting struct {
	to string
	mu sync.Mutex
	at []time.Time
}

func newCounting(t testing.TB) *counting {
	c := new(counting)
	c.to = listen(t, func(conn net.Conn) {
		if readHead(conn) == "" {
			return
		}
		c.mu.Lock()
		c.at = append(c.at, time.Now())
		c.mu.Unlock()
		fmt.Fprint(conn, good)
	})
	return c
}

func (c *counting) times() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.at)
}

// Set replaces what an upstream has: what stays goes on as if nothing had happened.
func TestSetKeepsWhatStays(t *testing.T) {
	gone := nobody(t)
	live := newCounting(t)
	r := newRig(t)
	c := check(t, "http://a/?check_frequency=24h&failure=1000")
	r.c.Set("u", slices.Concat(target1(gone, c), target1(live.to, c)))
	r.checked("u")
	if got := len(r.all()); got != 2 {
		t.Fatalf("%d results", got)
	}
	again := check(t, "http://a/?check_frequency=24h&failure=1000") // the same, compiled again
	other := newCounting(t)
	for range 50 {
		r.c.Set("u", slices.Concat(target1(live.to, again), target1(other.to, again)))
	}
	r.checked("u")
	if n := len(live.times()); n != 1 {
		t.Errorf("what stayed was checked %d times", n)
	}
	if all := r.all(); len(all) != 3 || all[2].Key != other.to || !all[2].First {
		t.Errorf("%+v", all)
	}
	// Another check: the state stays until it says otherwise, and it is made at once.
	r.c.Set("u", target1(live.to, check(t, "http://a/?check_frequency=24h&failure=2&x=1")))
	r.checked("u")
	if n := len(live.times()); n != 2 {
		t.Errorf("after another check it was checked %d times", n)
	}
	if last := r.all()[3]; !last.First || !last.Healthy {
		t.Errorf("%+v", last)
	}
	r.c.Set("u", nil)
	r.checked("u")
	r.checked("never heard of")
	r.stop()
	if len(r.c.groups) != 0 || len(r.c.due) != 0 {
		t.Errorf("%d upstreams, %d targets are left", len(r.c.groups), len(r.c.due))
	}
}

func TestAnotherCheckKeepsTheState(t *testing.T) {
	to := nobody(t)
	r := newRig(t)
	r.c.Set("u", target1(to, check(t, "tcp://a?failure=1&check_frequency=24h")))
	r.checked("u")
	r.c.Set("u", target1(to, check(t, "tcp://a?failure=5&check_frequency=24h")))
	r.checked("u")
	if all := r.all(); len(all) != 2 || all[0].Healthy || all[1].Healthy || !all[1].First {
		t.Errorf("%+v", all)
	}
}

// A check under way when its target goes is told to nobody, and leaves nothing behind.
func TestTargetsThatGoInTheMiddleOfACheck(t *testing.T) {
	for _, url := range []string{"http://a/", "https://a/", "grpc://a/", "tcp://a"} {
		t.Run(url, func(t *testing.T) {
			began := make(chan struct{}, 100)
			to := listen(t, func(conn net.Conn) {
				began <- struct{}{}
				mute(conn)
			})
			if strings.HasPrefix(url, "tcp") {
				to = full(t)
				close(began)
			}
			r := newRig(t)
			r.c.Set("u", target1(to, check(t, url+"?read_timeout=1m&connection_timeout=1m")))
			wait(t, began)
			r.c.Set("u", nil)
			r.checked("u")
			r.c.Set("u", target1(to, check(t, url+"?read_timeout=1m&connection_timeout=50s")))
			wait(t, began)
			r.stop() // under way again
			if all := r.all(); len(all) != 0 || r.c.sockets.busy != 0 || r.c.exchanges.busy != 0 || r.c.exchanges.slow != 0 {
				t.Errorf("%+v, %d and %d under way", all, r.c.sockets.busy, r.c.exchanges.busy)
			}
		})
	}
}

func TestChecksAreSpreadOverTheInterval(t *testing.T) {
	var mu sync.Mutex
	var at []time.Time
	to := listen(t, func(conn net.Conn) {
		if readHead(conn) != "" {
			mu.Lock()
			at = append(at, time.Now())
			mu.Unlock()
			fmt.Fprint(conn, good)
		}
	})
	for _, tt := range []struct {
		parallel string
		most     int // checks in any tenth of the interval, of 20 in all
		least    int // in the fullest
	}{{"", 8, 1}, {"&parallel", 20, 12}} {
		mu.Lock()
		at = nil
		mu.Unlock()
		r := newRig(t)
		c := check(t, "http://a/?check_frequency=2s"+tt.parallel)
		var targets []Target
		for i := range 20 {
			targets = append(targets, Target{Key: fmt.Sprint(i), Address: address(to), Check: c})
		}
		r.c.Set("u", targets)
		r.checked("u")
		begin := time.Now().Add(500 * time.Millisecond) // the first ones are past
		time.Sleep(4600 * time.Millisecond)
		r.stop()
		mu.Lock()
		var bins [20]int // of 200 ms: two intervals
		for _, when := range at {
			if i := int(when.Sub(begin) / (200 * time.Millisecond)); when.After(begin) && i < len(bins) {
				bins[i]++
			}
		}
		mu.Unlock()
		sum := 0
		for _, n := range bins {
			sum += n
		}
		if slices.Max(bins[:]) > tt.most || slices.Max(bins[:]) < tt.least || sum < 30 || sum > 50 {
			t.Errorf("parallel %q: %v", tt.parallel, bins)
		}
	}
}

// Backends that do not answer take no place from those that do, and never more than the bound are asked.
func TestASilentBackendHoldsUpNobody(t *testing.T) {
	for _, url := range []string{"http://a/", "https://a/"} {
		t.Run(url, func(t *testing.T) {
			var now, most atomic.Int32
			silent := listen(t, func(conn net.Conn) {
				most.Store(max(most.Load(), now.Add(1)))
				mute(conn)
				now.Add(-1)
			})
			r := newRig(t, func(o *Options) { o.Sockets, o.Exchanges = 8, 8 })
			slow := check(t, url+"?check_frequency=1s&read_timeout=1s&connection_timeout=1s&failure=1")
			var targets []Target
			for i := range 16 {
				targets = append(targets, Target{Key: fmt.Sprint(i), Address: address(silent), Check: slow})
			}
			r.c.Set("silent", targets)
			r.await(7) // the first ones have timed out
			serve := says(good)
			if strings.HasPrefix(url, "https") {
				serve = overTLS(t, serve)
			}
			r.checked("silent")
			begin := time.Now()
			r.c.Set("live", target1(listen(t, serve), check(t, url+"?check_frequency=1s&failure=1")))
			r.checked("live")
			if took := time.Since(begin); took > 1500*time.Millisecond {
				t.Errorf("a live backend waited %v for its check", took)
			}
			if most.Load() > 12 { // it hears late of those that ended
				t.Errorf("%d checks at once", most.Load())
			}
			for _, res := range r.all() {
				if res.Upstream == "live" && !res.Healthy {
					t.Errorf("%+v", res)
				}
			}
			r.stop()
		})
	}
}

// A process that has no descriptors left knows nothing of backends.
func TestALackOfDescriptorsSaysNothing(t *testing.T) {
	for _, err := range []error{outcomeErr("EMFILE"), outcomeErr("EADDRNOTAVAIL")} {
		if o := outcomeOf(err); o.verdict != unmade {
			t.Errorf("%v is %+v", err, o)
		}
	}
	r := newRig(t)
	to := newCounting(t)
	restore := exhaust(t)
	r.c.Set("u", target1(to.to, check(t, "tcp://a?failure=1")))
	for end := time.Now().Add(patient); r.logged.Len() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was said")
		}
	}
	if all := r.all(); len(all) != 0 || r.logged.All()[0].Message != "health checks cannot be made" {
		t.Errorf("%+v, %v", all, r.logged.All())
	}
	restore()
	if got := r.await(0); !got.Healthy {
		t.Errorf("%+v", got)
	}
	r.stop()
}

func TestRunEndsAndIsRunOnce(t *testing.T) {
	r := newRig(t)
	r.c.Set("u", target1(nobody(t), check(t, "tcp://a")))
	r.checked("u")
	r.stop()
	if err := r.c.Run(context.Background()); err == nil {
		t.Error("it ran again")
	}
	r.c.Set("u", nil)
	r.c.Checked("u")
	if len(r.c.posted) != 0 {
		t.Error("what nobody will do is kept")
	}
}
