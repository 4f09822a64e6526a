package stats

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// ask returns the answer to a request as a dashboard reads it.
func ask(t *testing.T, x *plugins.Instance, e *plugins.Exchange) map[string]any {
	t.Helper()
	d := x.Decider.Decide(e)
	if d.Answer == nil || d.Answer.Status != 200 || plugintest.Field(d.Answer, "content-type") != "application/json; charset=utf-8" {
		t.Fatalf("%+v", d)
	}
	var all map[string]any
	if err := json.Unmarshal(d.Answer.Body, &all); err != nil {
		t.Fatalf("%v\n%s", err, d.Answer.Body)
	}
	return all
}

func newInstance(t *testing.T, services *plugins.Services) *plugins.Instance {
	t.Helper()
	x, err := plugins.NewRegistry([]plugins.Factory{Factory()}, nil).WithServices(services).
		Build(&config.Plugin{Name: "x", Category: "stats", Params: map[string]any{"path": "/stats"}})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func request(t *testing.T, location, text string) *plugins.Exchange {
	t.Helper()
	e := plugintest.New(t, text)
	e.Location = location
	return e
}

func TestAnswersItsPathOnly(t *testing.T) {
	x := newInstance(t, nil)
	for target, answered := range map[string]bool{"/stats": true, "/stats?a": true, "//%73tats": true, "/stats/": false, "/": false, "/a/stats": false} {
		if d := x.Decider.Decide(request(t, "a", "GET "+target)); (d.Answer != nil) != answered {
			t.Errorf("%s: %+v", target, d)
		}
	}
}

func TestEveryFigureIsThere(t *testing.T) {
	x := newInstance(t, &plugins.Services{Figures: func() plugins.Figures { return plugins.Figures{Version: "1.2.3", Accepted: 70, Processing: 3} }})
	e := request(t, "api", "GET /stats")
	e.ConfigVersion = 9
	got := ask(t, x, e)
	host, _ := os.Hostname()
	for key, want := range map[string]any{
		"scope": "worker", "pid": float64(os.Getpid()), "location": "api", "config_version": 9.0, "processing": 3.0, "accepted": 70.0, "version": "1.2.3",
		"location_processing": 1.0, "location_accepted": 1.0, "hostname": host, "go_version": runtime.Version(), "rustc_version": runtime.Version(),
		"arch": runtime.GOARCH, "cpus": float64(runtime.NumCPU()),
	} {
		if got[key] != want {
			t.Errorf("%s: got %v, want %v", key, got[key], want)
		}
	}
	for _, key := range []string{"memory_mb", "physical_cpus", "threads", "fd_count", "start_time"} {
		if n, ok := got[key].(float64); !ok || n < 1 {
			t.Errorf("%s: %v", key, got[key])
		}
	}
	for _, key := range []string{"memory", "total_memory", "used_memory", "uptime"} {
		if text, _ := got[key].(string); text == "" || text == "0 B" {
			t.Errorf("%s: %v", key, got[key])
		}
	}
	for _, key := range []string{"tcp_count", "tcp6_count"} {
		if _, ok := got[key].(float64); !ok {
			t.Errorf("%s: %v", key, got[key])
		}
	}
	if start := time.Unix(int64(got["start_time"].(float64)), 0); time.Since(start) > time.Hour || time.Until(start) > time.Minute {
		t.Errorf("started %v", start)
	}
}

func TestWithoutFiguresTheServersAreTold(t *testing.T) {
	e := request(t, "a", "GET /stats")
	e.Processing = 4
	if got := ask(t, newInstance(t, nil), e); got["processing"] != 4.0 {
		t.Errorf("%v", got)
	}
}

func TestRequestsOfEachLocationAreCounted(t *testing.T) {
	services := &plugins.Services{}
	x := newInstance(t, services)
	var open []*plugins.Exchange
	for i, location := range []string{"a", "b", "a", "a"} {
		e := request(t, location, "GET /x")
		x.Decider.Decide(e)
		if i > 0 {
			open = append(open, e)
			continue
		}
		e.End(true)
	}
	shadow := request(t, "a", "GET /x")
	shadow.Shadow = true
	x.Decider.Decide(shadow)     // not served, so not counted
	x = newInstance(t, services) // as an apply does it
	e := request(t, "a", "GET /stats")
	if got := ask(t, x, e); got["location_accepted"] != 4.0 || got["location_processing"] != 3.0 {
		t.Errorf("%v", got)
	}
	e.End(true)
	for _, each := range open {
		each.End(false)
	}
	if got := ask(t, x, request(t, "a", "GET /stats")); got["location_accepted"] != 5.0 || got["location_processing"] != 1.0 {
		t.Errorf("%v", got)
	}
	if got := ask(t, x, request(t, "b", "GET /stats")); got["location_accepted"] != 2.0 || got["location_processing"] != 1.0 {
		t.Errorf("%v", got)
	}
}

func TestCountsAreExactUnderLoad(t *testing.T) {
	x := newInstance(t, nil)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for i := range 500 {
				e := request(t, string(rune('a'+i%20)), "GET /x")
				x.Decider.Decide(e)
				e.End(true)
			}
		})
	}
	clients.Wait()
	if got := ask(t, x, request(t, "a", "GET /stats")); got["location_accepted"] != 201.0 || got["location_processing"] != 1.0 {
		t.Errorf("%v", got)
	}
}

func TestTheSystemIsAskedOnceASecond(t *testing.T) {
	g := &gauge{root: t.TempDir()}
	write := func(name, text string) {
		path := filepath.Join(g.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("self/status", "Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t7\n")
	write("meminfo", "MemTotal:  10000 kB\nMemFree: 1 kB\nMemAvailable:   4000 kB\n")
	write("self/net/sockstat", "sockets: used 9\nTCP: inuse 5 orphan 0 tw 1\nUDP: inuse 3\n")
	write("self/net/sockstat6", "TCP6: inuse 2\n")
	write("cpuinfo", "physical id\t: 0\ncore id\t: 0\n\nphysical id\t: 0\ncore id\t: 1\n\nphysical id\t: 0\ncore id\t: 1\n\nphysical id\t: 1\ncore id\t: 0\n")
	for _, fd := range []string{"0", "1", "2", "3"} {
		write("self/fd/"+fd, "")
	}
	m := g.read()
	m.hostname = ""
	if want := (machine{memory: 2 << 20, total: 10000 << 10, used: 6000 << 10, threads: 7, files: 3, cores: 3, connections: 5, connect6: 2}); m != want {
		t.Errorf("got %+v, want %+v", m, want)
	}
	write("self/status", "Threads:\t8\n")
	if got := g.read().threads; got != 7 {
		t.Errorf("asked again within a second: %d", got)
	}
	g.at = g.at.Add(-2 * time.Second)
	if m := g.read(); m.threads != 8 || m.memory != 0 || m.cores != 3 {
		t.Errorf("got %+v", m)
	}
}

func TestASystemThatSaysNothing(t *testing.T) {
	g := &gauge{root: filepath.Join(t.TempDir(), "none")}
	m := g.read()
	m.hostname = ""
	if m != (machine{}) {
		t.Errorf("%+v", m)
	}
}

func TestFiguresForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", 25 * time.Hour: "1day 1h", 49*time.Hour + 61*time.Second: "2days 1h 1m 1s"} {
		if got := human(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 40_055_603: "38.2 MiB", 1 << 50: "1024.0 TiB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Key: "path", Message: "is required: " + Factory().Params[0].Help},
		{Table: `path = "stats"`, Key: "path", Message: `expected a path such as /status, without query and blanks, found "stats"`},
		{Table: "path = \"/s\"\nstep = \"early_request\"", Key: "step", Message: `stats has no step "early_request", expected request or proxy_upstream`},
	})
}

func TestCountingDoesNotAllocate(t *testing.T) {
	x, e := newInstance(t, nil), request(t, "a", "GET /")
	if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e); e.End(true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCounting(b *testing.B) {
	x, err := plugins.NewRegistry([]plugins.Factory{Factory()}, nil).Build(&config.Plugin{Name: "x", Category: "stats", Params: map[string]any{"path": "/stats"}})
	if err != nil {
		b.Fatal(err)
	}
	e := plugintest.New(b, "GET /")
	e.Location = "api"
	b.ReportAllocs()
	for b.Loop() {
		x.Decider.Decide(e)
		e.End(true)
	}
}
