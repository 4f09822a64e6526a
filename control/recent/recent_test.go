package recent

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/arena/tally"
	"pingap/control/endpoints"
	"pingap/ipc"
)

// rig is a Sampler over an arena that two processes count in, with a clock of its own.
type rig struct {
	*Sampler
	t       testing.TB
	writers []*arena.Arena
	now     time.Time
	status  *ipc.StatusAll
	known   []endpoints.Upstream
}

func newRig(t testing.TB, locations, upstreams []string) *rig {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: 4, Totals: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	r := &rig{t: t, now: time.Unix(1_700_000_000, 0)}
	for column := range 2 {
		r.writers = append(r.writers, mapped(t, a, column))
	}
	r.Sampler = &Sampler{Arena: mapped(t, a, arena.ReadOnly), Proc: t.TempDir(), Status: func(context.Context) *ipc.StatusAll { return r.status },
		Upstreams: func() []endpoints.Upstream { return r.known }}
	r.Init()
	r.names(locations, upstreams)
	return r
}

func mapped(t testing.TB, a *arena.Arena, column int) *arena.Arena {
	t.Helper()
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

// names are those of a configuration with one server.
func (r *rig) names(locations, upstreams []string) {
	n := &names{total: []tally.Key{{Kind: tally.LocationBlock, Server: "s"}}, locations: map[string][]tally.Key{}, upstreams: map[string][]tally.Key{}}
	for _, name := range locations {
		n.locations[name] = []tally.Key{{Kind: tally.LocationBlock, Server: "s", Name: name}}
	}
	for _, name := range upstreams {
		n.upstreams[name] = []tally.Key{{Kind: tally.UpstreamBlock, Server: "s", Name: name}}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setNamesLocked(n)
}

func (r *rig) block(column int, kind tally.Kind, name string) *tally.Block {
	r.t.Helper()
	b, err := tally.Open(r.writers[column], tally.Key{Kind: kind, Server: "s", Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// requests counts so many requests of a location as a worker does.
func (r *rig) requests(column int, location string, n, class int, took time.Duration) {
	for _, name := range []string{location, ""} {
		b := r.block(column, tally.LocationBlock, name)
		for range n {
			b.Add(tally.Requests, 1)
			b.Observe(tally.Received, 10)
			b.Observe(tally.Sent, 100)
			b.Observe(tally.ResponseTime, int64(took))
			b.Count(tally.ResponseCodes, class)
		}
	}
}

// pass lets so many seconds pass, each with a sample.
func (r *rig) pass(seconds int) {
	for range seconds {
		r.now = r.now.Add(time.Second)
		r.sample(r.now)
	}
}

func must(h *History, _ bool) *History { return h }

func near(got, want, part float64) bool { return math.Abs(got-want) <= part*math.Abs(want) }

func TestRatesAreWhatCameBetweenTwoSamplesOverAllProcesses(t *testing.T) {
	r := newRig(t, []string{"a", "b"}, []string{"u"})
	r.requests(0, "a", 1000, 1, time.Millisecond) // before anybody looked
	r.pass(1)
	r.requests(0, "a", 30, 1, 10*time.Millisecond)
	r.requests(1, "a", 10, 4, 10*time.Millisecond)
	r.requests(1, "b", 2, 3, 100*time.Millisecond)
	up := r.block(1, tally.UpstreamBlock, "u")
	for range 5 {
		up.Observe(tally.UpstreamProcessingTime, int64(20*time.Millisecond))
	}
	up.Count(tally.UpstreamErrors, 0)
	r.now = r.now.Add(time.Second) // a tick that comes late
	r.pass(1)
	l := r.Live(1)
	if l.Totals.RPS != 21 || l.Totals.Errors != 5 || l.Totals.BytesIn != 210 || l.Totals.BytesOut != 2100 || l.At != r.now.UnixMilli() {
		t.Errorf("totals: %+v", l.Totals)
	}
	if s := l.Totals.Status; s.Success != 15 || s.ClientError != 1 || s.ServerError != 5 || s.Redirect != 0 {
		t.Errorf("statuses: %+v", s)
	}
	a, b := l.Locations[0], l.Locations[1]
	if a.Name != "a" || a.RPS != 20 || a.Errors != 5 || b.RPS != 1 || !near(float64(a.P50), 10, .2) || !near(float64(b.P99), 100, .2) {
		t.Errorf("locations: %+v", l.Locations)
	}
	if u := l.Upstreams[0]; u.RPS != 2.5 || u.Errors != .5 || !near(float64(u.P50), 20, .2) {
		t.Errorf("upstream: %+v", u)
	}
	r.pass(1)
	if l := r.Live(1); l.Totals.RPS != 0 || !math.IsNaN(float64(l.Totals.P50)) {
		t.Errorf("a second without requests: %+v", l.Totals)
	}
	if l := r.Live(3); l.Totals.RPS != 14 || l.Interval != 3000 { // 42 in three seconds, in two samples and the first
		t.Errorf("three seconds: %+v", l.Totals)
	}
}

func TestPercentilesAreThoseOfWhatWasCounted(t *testing.T) {
	r := newRig(t, []string{"a"}, nil)
	r.pass(1)
	for ms := range 1000 {
		r.requests(0, "a", 1, 1, time.Duration(ms+1)*time.Millisecond)
	}
	r.requests(0, "a", 1, 1, time.Hour)
	r.pass(1)
	l := r.Live(1).Locations[0]
	for what, c := range map[string][2]float64{"p50": {float64(l.P50), 500}, "p90": {float64(l.P90), 900}, "p99": {float64(l.P99), 990}} {
		if !near(c[0], c[1], .05) {
			t.Errorf("%s: %v, want about %v", what, c[0], c[1])
		}
	}
	for _, c := range []struct {
		took time.Duration
		want float64
	}{{0, .03}, {61 * time.Microsecond, .03}, {time.Hour, 128_000}} {
		var s sums
		r.pass(1)
		r.requests(0, "a", 4, 1, c.took)
		r.pass(1)
		s, _ = r.locations[0].within(r.n, 1)
		if got := s.percentiles(.5)[0]; !near(got, c.want, .2) {
			t.Errorf("%v: %v ms, want about %v", c.took, got, c.want)
		}
	}
}

func TestAnHourIsKeptAndThenWrittenOver(t *testing.T) {
	r := newRig(t, []string{"a"}, nil)
	r.pass(1)
	for i := range 2 * 3600 { // the second hour has two requests each second
		n := 1
		if i >= 3599 {
			n = 2
		}
		r.requests(i%2, "a", n, 1, time.Millisecond)
		r.pass(1)
	}
	for _, c := range []struct {
		span   time.Duration
		values int
		step   int64
	}{{time.Minute, 60, 1000}, {5 * time.Minute, 300, 1000}, {6 * time.Minute, 72, 5000}, {time.Hour, 720, 5000}, {9 * time.Hour, 720, 5000}} {
		for _, of := range []string{"total", "location:a"} {
			h, ok := r.History(of, []string{"rps", "errors", "p50"}, c.span)
			if !ok || h.Step != c.step || len(h.Series["rps"]) != c.values {
				t.Fatalf("%v of %s: %v, %d values in steps of %d", c.span, of, ok, len(h.Series["rps"]), h.Step)
			}
			for i, v := range h.Series["rps"] {
				if v != 2 || h.Series["errors"][i] != 0 || !near(float64(h.Series["p50"][i]), 1, .2) {
					t.Fatalf("%v of %s: value %d is %v", c.span, of, i, v)
				}
			}
			if end := h.From + int64(c.values-1)*h.Step; r.now.UnixMilli()-end >= c.step {
				t.Errorf("%v of %s ends %d ms ago", c.span, of, r.now.UnixMilli()-end)
			}
		}
	}
}

func TestWhatIsNotKnownIsNull(t *testing.T) {
	r := newRig(t, []string{"a", "never"}, nil)
	if l, h := r.Live(1), must(r.History("total", []string{"rps"}, time.Minute)); l.At < time.Now().UnixMilli()-time.Minute.Milliseconds() || !math.IsNaN(float64(h.Series["rps"][59])) {
		t.Errorf("before the first sample: %+v, %+v", l, h)
	}
	r.pass(10)
	r.now = r.now.Add(20 * time.Second) // control was held up
	r.requests(0, "a", 42, 1, time.Millisecond)
	r.pass(1)
	h, ok := r.History("total", []string{"rps", "cpu"}, time.Minute)
	if !ok {
		t.Fatal("no total")
	}
	list := h.Series["rps"]
	if list[59] != 2 || !math.IsNaN(float64(list[58])) || !math.IsNaN(float64(list[39])) || list[38] != 0 || !math.IsNaN(float64(list[20])) || !math.IsNaN(float64(h.Series["cpu"][59])) {
		t.Errorf("%v", list)
	}
	text, err := json.Marshal(h)
	if err != nil || !strings.Contains(string(text), "[null,") || strings.Contains(string(text), "NaN") {
		t.Errorf("%s, %v", text, err)
	}
	if h, ok := r.History("location:never", []string{"rps"}, time.Minute); !ok || !math.IsNaN(float64(h.Series["rps"][59])) {
		t.Errorf("a location without requests: %v", h)
	}
	for _, of := range []string{"", "location:", "location:other", "upstream:a", "process:worker/0", "total:x", "other:a"} {
		if _, ok := r.History(of, []string{"rps"}, time.Minute); ok {
			t.Errorf("there is something of the name %q", of)
		}
	}
}

func TestOnlyTheBusiestAreKept(t *testing.T) {
	var locations []string
	for i := range 2 * maxTracked {
		locations = append(locations, fmt.Sprint("l", i))
	}
	r := newRig(t, locations, nil)
	r.pass(1)
	tracked := func() (n int) {
		for _, o := range r.objects {
			if o.track != nil {
				n++
			}
		}
		return n
	}
	for range 2 {
		for _, name := range locations {
			r.requests(0, name, 1, 1, time.Millisecond)
		}
		r.pass(coarseStep)
		if n := tracked(); n != maxTracked || r.tracked != n {
			t.Fatalf("%d are tracked, want %d", n, maxTracked)
		}
	}
	var late string
	for _, o := range r.objects {
		if o.track == nil {
			late = o.name
		}
	}
	r.requests(1, late, 500, 1, time.Millisecond)
	r.pass(coarseStep)
	r.requests(1, late, 7, 1, time.Millisecond)
	r.pass(1)
	h, ok := r.History("location:"+late, []string{"rps"}, time.Minute)
	if list := h.Series["rps"]; !ok || tracked() != maxTracked || list[59] != 7 || !math.IsNaN(float64(list[55])) {
		t.Errorf("one that became busy: %v", list)
	}
	r.names(locations[:3], nil)
	if r.tracked > 3 || len(r.objects) != 3 {
		t.Errorf("%d of %d are tracked after the others left", r.tracked, len(r.objects))
	}
	if most := maxTracked*unsafe.Sizeof(track{}) + 1000*unsafe.Sizeof(object{}); most > 12<<20 {
		t.Errorf("%d bytes for 1,000 locations", most)
	}
}

func TestAChangeOfTheConfigurationLosesNothingOfTheRest(t *testing.T) {
	r := newRig(t, []string{"a", "b"}, nil)
	r.pass(1)
	r.requests(0, "a", 5, 1, time.Millisecond)
	r.names([]string{"a", "c"}, nil)
	r.requests(0, "c", 9, 1, time.Millisecond)
	r.pass(1)
	l := r.Live(1)
	if len(l.Locations) != 2 || l.Locations[0].RPS != 5 || !math.IsNaN(float64(l.Locations[1].RPS)) || l.Totals.RPS != 14 {
		t.Errorf("%+v", l)
	}
}

// proc writes what the kernel would say of a process.
func (r *rig) proc(pid int, name string, start, ticks, pages int) {
	r.t.Helper()
	dir := filepath.Join(r.Proc, fmt.Sprint(pid))
	text := fmt.Sprintf("%d (%s) S 1 1 1 0 -1 4194560 100 0 0 0 %d %d 0 0 20 0 8 0 %d 1000000 %d 18446744073709551615 0 0\n", pid, name, ticks/2, ticks-ticks/2, start, pages)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func TestProcessesHaveWhatTheKernelSaysOfThem(t *testing.T) {
	r := newRig(t, nil, nil)
	worker := func(pid, slot, connections int) ipc.Process {
		return ipc.Process{Kind: "worker", PID: pid, Slot: slot, State: "active",
			Status: &ipc.Status{Connections: map[string]int64{"idle": int64(connections)}, Accepted: 100, Requests: 7}}
	}
	r.status = &ipc.StatusAll{Processes: []ipc.Process{{Kind: "supervisor", PID: 1, State: "running"}, worker(2, 0, 10), worker(3, 0, 5), worker(4, 1, 1)}}
	r.ask(t.Context())
	page := os.Getpagesize()
	for i, name := range []string{"pingap", "a) S 1 (b", "pingap worker", ""} {
		r.proc(i+1, name, 1000, 50, 10)
	}
	r.pass(1)
	r.proc(2, "a) S 1 (b", 1000, 75, 20)
	r.proc(3, "pingap worker", 2000, 9000, 10) // another process of the same number
	os.RemoveAll(filepath.Join(r.Proc, "4"))
	r.pass(1)
	l := r.Live(1)
	if p := l.Processes[1]; p.CPU != 25 || p.Memory != int64(20*page) || p.Connections != 10 || p.Requests != 7 {
		t.Errorf("%+v", p)
	}
	if !math.IsNaN(float64(l.Processes[2].CPU)) || l.Processes[0].CPU != 0 || l.Totals.Connections != 16 || l.Totals.Accepted != 300 {
		t.Errorf("%+v", l)
	}
	h, _ := r.History("process:worker/0", []string{"cpu", "memory", "connections"}, time.Minute)
	if h.Series["cpu"][59] != 25 || h.Series["memory"][59] != Figure(30*page) || h.Series["connections"][59] != 15 {
		t.Errorf("slot 0: %v", h.Series)
	}
	all, _ := r.History("total", []string{"memory"}, time.Minute)
	gone, _ := r.History("process:worker/1", []string{"memory"}, time.Minute)
	if all.Series["memory"][59] != Figure(40*page) || gone.Series["memory"][58] != Figure(10*page) || !math.IsNaN(float64(gone.Series["memory"][59])) {
		t.Errorf("all %v, gone %v", all.Series["memory"][57:], gone.Series["memory"][57:])
	}
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("1 (a) S 1 1 1 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 8 0 1000 1000000 77 18446744073709551615"))
	f.Add([]byte("1 (a)) S"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, ok := parseSpent(text, time.Now()); ok && got.cpu < 0 {
			t.Errorf("%+v", got)
		}
	})
}

func BenchmarkSample(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n, " locations"), func(b *testing.B) {
			var locations, upstreams []string
			for i := range n {
				locations, upstreams = append(locations, fmt.Sprint("l", i)), append(upstreams, fmt.Sprint("u", i))
			}
			r := newRig(b, locations, upstreams)
			for _, name := range locations {
				r.requests(0, name, 1, 1, time.Millisecond)
				r.requests(1, name, 1, 1, time.Millisecond)
			}
			for _, name := range upstreams {
				r.block(0, tally.UpstreamBlock, name).Observe(tally.UpstreamProcessingTime, 5)
			}
			for b.Loop() {
				r.pass(1)
			}
		})
	}
}
