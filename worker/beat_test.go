package worker

import (
	"testing"
	"time"

	"pingap/ipc"
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
	server, err := newBeatServer()
	if err != nil {
		t.Fatal(err)
	}
	server.Table = route.NewTable(nil, route.Options{})
	w.proxy.SetSite(&proxy.Site{Servers: []*proxy.Server{server}, ErrorPage: w.live.ErrorPage})
	if err := w.beat(); err == nil {
		t.Error("a heartbeat without a location")
	}
}
