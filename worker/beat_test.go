package worker

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"pingap/ipc"
	"pingap/telemetry"
	"pingap/worker/accept"
	"pingap/worker/proxy"
	"pingap/worker/route"
)

func TestHeartbeatsComeByThemselvesAndCountForNothing(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), func(o *Options) { o.Timings.Beat = 5 * time.Millisecond })
	b.dial().get("/a")
	for range 5 {
		s := receive[*ipc.Status](b)
		if s.State != ipc.StateActive && s.State != ipc.StateReady || s.RSS == 0 || s.Goroutines == 0 || s.Requests > 1 || s.Accepted > 1 {
			t.Fatalf("status %+v", s)
		}
	}
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.SHA != b.sha || s.Version != 1 {
		t.Errorf("status %+v", s)
	}
}

// What answers the heartbeat is the engine: without its location there is none.
func TestHeartbeatNeedsTheEngine(t *testing.T) {
	w := bareWorker(t, config1("127.0.0.1:1"), Timings{})
	if err := w.beat(); err != nil {
		t.Fatal(err)
	}
	server := *w.heart.server
	server.Table = route.NewTable(nil, route.Options{})
	w.proxy.SetSite(&proxy.Site{Servers: []*proxy.Server{&server}, ErrorPage: w.live.ErrorPage})
	if err := w.beat(); err == nil {
		t.Error("a heartbeat without a location")
	}
}

// A worker that has as many connections as it may is not dead.
func TestTheHeartBeatsAtTheLimitOfConnections(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1")+"[basic]\nmax_connections = 1\n", func(o *Options) { o.Timings.Beat = 5 * time.Millisecond })
	b.dial().get("/a")
	b.dial().send("/a") // in the backlog
	for range 5 {
		if s := receive[*ipc.Status](b); s.Message != "" || s.Accepted > 1 {
			t.Errorf("status %+v", s)
		}
	}
}

// The path of a heartbeat goes through a log, whose lines are written by another goroutine.
func TestHeartbeatsAreLogged(t *testing.T) {
	w := bareWorker(t, config1("127.0.0.1:1"), Timings{})
	lines := make(chan string, 1)
	out := telemetry.NewFuncWriter(func(_ time.Time, _ telemetry.Severity, line []byte) { lines <- string(line) }, telemetry.WriterOptions{})
	defer out.Close()
	server := *w.heart.server
	server.Log = &logger{format: w.heart.server.Log.(*logger).format, out: out, buffer: &w.logs.buffer}
	w.proxy.SetSite(&proxy.Site{Servers: []*proxy.Server{&server}, ErrorPage: w.live.ErrorPage})
	if err := w.beat(); err != nil {
		t.Fatal(err)
	}
	out.Flush()
	select {
	case line := <-lines:
		if !strings.Contains(line, "GET / HTTP/1.1") || !strings.Contains(line, "204") {
			t.Errorf("logged %q", line)
		}
	case <-time.After(patience):
		t.Error("nothing was logged")
	}
}

// An accept loop that hangs is noticed although everything else goes on.
func TestTheHeartStopsWhenAcceptingHangs(t *testing.T) {
	w := bareWorker(t, config1("127.0.0.1:1"), Timings{BeatAnswer: 50 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { w.loop(ctx); close(over) }()
	t.Cleanup(func() { stop(); <-over })
	if err := w.prove(); err != nil {
		t.Errorf("without listeners: %v", err)
	}
	_, l := idleListener(t) // nobody accepts on it
	w.post(func() { w.addresses.list = []*listener{{Listener: ipc.Listener{Address: "somewhere"}, socket: l}} })
	if err := w.prove(); err == nil || !strings.Contains(err.Error(), "somewhere") {
		t.Errorf("a listener that nobody accepts on: %v", err)
	}
}

func idleListener(t *testing.T) (net.Addr, *accept.Listener) {
	t.Helper()
	l, addr, err := accept.Private("idle")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return addr, l
}
