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
	b := newBackend(t, answer(ok5))
	for _, c := range []struct {
		name      string
		uncounted bool
		want      int64
	}{{"a server", false, 3}, {"one that is uncounted", true, 0}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.Uncounted = c.uncounted }})
			client, w := r.dial(), &watcher{}
			ask := func() { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").head(); client.body(5) }
			ask()
			awaitRequests(t, r, 1)
			r.p.SetTap(w)
			for range 3 {
				ask()
			}
			awaitRequests(t, r, 4)
			r.p.SetTap(nil)
			ask()
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
