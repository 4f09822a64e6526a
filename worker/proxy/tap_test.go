package proxy

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pingap/message"
)

// watcher counts what it is shown.
type watcher struct{ n atomic.Int64 }

func (w *watcher) Log(*message.Record) { w.n.Add(1) }

func TestRequestsAreShownToThoseWhoWatchAndOnlyMeanwhile(t *testing.T) {
	b := plainBackend(t)
	for _, c := range []struct {
		name      string
		uncounted bool
		want      int64
	}{{"a server", false, 3}, {"one that is uncounted", true, 0}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.Uncounted = c.uncounted }})
			p, w := r.pinger(t), &watcher{}
			p.ping(t)
			awaitRequests(t, r, 1)
			r.p.SetTap(w)
			for range 3 {
				p.ping(t)
			}
			awaitRequests(t, r, 4)
			r.p.SetTap(nil)
			p.ping(t)
			awaitRequests(t, r, 5)
			if n := w.n.Load(); n != c.want {
				t.Errorf("%d requests were shown, want %d", n, c.want)
			}
		})
	}
}

// awaitRequests waits until so many requests have been logged: that is after their answers.
func awaitRequests(t *testing.T, r *rig, n uint64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); r.p.Stats().Requests < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(fmt.Sprint("never ", n, " requests"))
		}
	}
}

func TestWatchingAddsNoAllocations(t *testing.T) {
	b := plainBackend(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.Log = nil }})
	r.p.SetTap(&watcher{})
	p := r.pinger(t)
	if n := testing.AllocsPerRun(2000, func() { p.ping(t) }); n != 0 {
		t.Errorf("%v allocations per request, want 0", n)
	}
}

// BenchmarkRequestThatNobodyWatches is what watching costs while nobody does.
func BenchmarkRequestThatNobodyWatches(b *testing.B) {
	p, r := &Proxy{}, &message.Record{}
	b.ReportAllocs()
	for b.Loop() {
		if t := p.tap.Load(); t != nil {
			t.Log(r)
		}
	}
}
