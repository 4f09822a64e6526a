package health

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
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

// A backend that starts after us need not wait for its turn.
func TestWhatHasNeverPassedIsCheckedAgainSoon(t *testing.T) {
	for name, asked := range map[string]bool{"by itself": false, "when asked for": true} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			d.shut()
			r := newRig(t)
			r.c.Set("api", target1(d.to, check(t, "tcp://a?check_frequency=24h&failure=1")))
			if first := r.await(0); first.Healthy || !first.First {
				t.Fatalf("%+v", first)
			}
			began := time.Now()
			d.open()
			if asked {
				r.c.Again("api")
				r.c.Again("another")
			}
			if got := r.await(1); !got.Healthy {
				t.Errorf("%+v", got)
			}
			if took := time.Since(began); !asked && took < soon/2 {
				t.Errorf("after %v already", took)
			}
			d.shut() // from now on it has the time of the others
			r.c.Again("api")
			time.Sleep(100 * time.Millisecond)
			if all := r.all(); len(all) != 2 {
				t.Errorf("then %+v", all)
			}
		})
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

func TestRunEndsAndIsRunOnce(t *testing.T) {
	r := newRig(t)
	r.c.Set("u", target1(nobody(t), check(t, "tcp://a")))
	r.checked("u")
	r.stop()
	if err := r.c.Run(context.Background()); err == nil {
		t.Error("it ran again")
	}
	r.c.Set("u", nil)
	r.c.Again("u")
	if len(r.c.posted) != 0 {
		t.Error("what nobody will do is kept")
	}
}
