package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/arena/tally"
	"pingap/config"
	"pingap/control/endpoints"
	"pingap/ipc"
)

// rig is an exporter over an arena in which the test counts.
type rig struct {
	Exporter
	t       testing.TB
	workers []*arena.Arena
}

// newRig has server "s" with these locations, metrics where to says, and upstream "u".
func newRig(t testing.TB, to string, locations ...string) *rig {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: 2, Totals: 2048})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	mapped := func(column int) *arena.Arena {
		fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := arena.Map(fd, column)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	r := &rig{t: t, workers: []*arena.Arena{mapped(0), mapped(1)}, Exporter: Exporter{
		Arena: mapped(arena.ReadOnly), Version: "1.2.3", Log: zap.NewNop(),
		Status:       func(context.Context) *ipc.StatusAll { return status() },
		Upstreams:    func() []endpoints.Upstream { return upstreams() },
		Certificates: func() []Certificate { return []Certificate{{"c", time.Unix(1e9, 0)}} },
		Events:       func() Events { return Events{Waiting: 1, Sent: 2, Retried: 3, Failed: 4, Dropped: 5} },
	}}
	r.Init()
	r.configure(to, locations...)
	return r
}

func (r *rig) configure(to string, locations ...string) map[string]*config.Push {
	r.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "[upstreams.u]\naddrs = ['127.0.0.1:1']\n[servers.s]\naddr = '127.0.0.1:1'\nprometheus_metrics = '%s'\nlocations = ['%s']\n", to, strings.Join(locations, "','"))
	for _, l := range locations {
		fmt.Fprintf(&text, "[locations.%s]\nupstream = 'u'\npath = '/%s'\n", l, l)
	}
	c, report := config.Load([]config.Document{{Name: "a.toml", Data: []byte(text.String())}}, config.Options{})
	if report.Err() != nil {
		r.t.Fatal(report.Err())
	}
	data, _ := config.Encode(c)
	s, err := config.OpenSnapshot(data)
	if err != nil {
		r.t.Fatal(err)
	}
	pushes, err := r.SetConfig(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return pushes
}

// block counts for location, upstream or server of "s" in the second process.
func (r *rig) block(kind tally.Kind, name string) *tally.Block {
	r.t.Helper()
	k := tally.Key{Kind: kind, Server: "s", Name: name}
	if kind == tally.HostBlock {
		k.Server = ""
	}
	b, err := tally.Open(r.workers[1], k)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// get asks for the page.
func (r *rig) get(header ...string) (http.Header, []byte) {
	r.t.Helper()
	ask := httptest.NewRequest("GET", "/x", nil)
	ask.URL.Path = "s" // as http.StripPrefix leaves it
	for i := 0; i < len(header); i += 2 {
		ask.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, ask)
	if w.Code != 200 {
		r.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	body, _ := io.ReadAll(w.Body)
	return w.Header(), body
}

func status() *ipc.StatusAll {
	worker := func(generation int, state string) ipc.Process {
		return ipc.Process{Kind: ipc.RoleWorker, PID: 1, Slot: 1, Generation: generation, State: state, Restarts: 2,
			Status: &ipc.Status{RSS: 10 << 20, FDs: 5, Goroutines: 9, LogDropped: 1}}
	}
	return &ipc.StatusAll{Version: 4, Degraded: []string{"why"}, LastApply: &ipc.ApplyResult{At: time.Unix(5, 0), Error: "no"},
		Ledger:     &ipc.Totals{Workers: 1, Finished: 2, Drained: 3, Moved: 4, Cut: 5, Refused: 6},
		LastRecord: &ipc.Record{ID: 6, Kind: ipc.RecordRoll, Cut: 3}, Source: &ipc.Source{Refused: "x"},
		Processes: []ipc.Process{worker(3, ipc.StateDraining), worker(4, ipc.StateActive), worker(2, ipc.StateDraining)}}
}

func upstreams() []endpoints.Upstream {
	state := endpoints.State{InFlight: 3, Breaker: "half-open", Windowed: true, WindowRequests: 8, WindowFailures: 2}
	return []endpoints.Upstream{{Name: "u", Backends: []endpoints.Backend{{Address: "127.0.0.1:1", Health: "healthy", State: state}}}}
}
