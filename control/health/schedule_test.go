package health

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

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
		sum, fullest := 0, 0 // of two that are neighbours, as the border may be anywhere
		for i, n := range bins {
			sum += n
			fullest = max(fullest, n+bins[max(i-1, 0)])
		}
		if slices.Max(bins[:]) > tt.most || fullest < tt.least || sum < 20 || sum > 60 { // those at the same moment may be beyond either end
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
			for i := range 32 {
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
			if most.Load() > 20 { // it hears late of those that ended, and counts the next ones beside them
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
