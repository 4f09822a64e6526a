package worker

import (
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/arena/tally"
	"pingap/worker/proxy"
)

// measured is a server with a location of each kind. UP is a backend.
const measured = `
[upstreams.up]
addrs = ["UP"]
[upstreams.away]
addrs = ["127.0.0.1:1", "127.0.0.1:2"]
[locations.api]
path = "/api"
upstream = "up"
[locations.slow]
path = "/slow"
upstream = "up"
max_processing = 1
[locations.away]
path = "/away"
upstream = "away"
max_retries = 1
[locations.here]
path = "/here"
plugins = ["text"]
[plugins.text]
category = "answer"
text = "made here"
[servers.s]
addr = "LISTEN"
locations = ["api", "slow", "away", "here"]
prometheus_metrics = "/metrics"
`

// word is what a word of a metric is by now.
func (b *boss) word(kind tally.Kind, name string, id tally.ID, value int) int64 {
	b.t.Helper()
	words, ok := tally.Read(b.arena, tally.Key{Kind: kind, Server: "s", Name: name}, nil)
	if !ok {
		return 0
	}
	return words[tally.Families()[id].At+value]
}

// counts compares requests by location and class of status: "api 2xx".
func (b *boss) counts(want map[string]int64) {
	b.t.Helper()
	all := int64(0)
	for _, name := range []string{"api", "slow", "away", "here", ""} {
		requests := int64(0)
		for i, class := range tally.Families()[tally.ResponseCodes].Values {
			got := b.word(tally.LocationBlock, name, tally.ResponseCodes, i)
			requests += got
			if name != "" && got != want[name+" "+class] {
				b.t.Errorf("%s %s: %d, want %d", name, class, got, want[name+" "+class])
			}
		}
		if got := b.word(tally.LocationBlock, name, tally.Requests, 0); got != requests {
			b.t.Errorf("location %q: %d requests, %d answers", name, got, requests)
		}
		if name == "" && requests != all {
			b.t.Errorf("all: %d, want %d", requests, all)
		}
		all += requests
	}
}

// current is how many requests of a location are in process.
func (b *boss) current(name string) int64 {
	b.t.Helper()
	c, err := b.arena.Counter(tally.Gauges()[tally.RequestsCurrent].Of(tally.Key{Kind: tally.LocationBlock, Server: "s", Name: name}))
	if err != nil {
		b.t.Fatal(err)
	}
	return c.Load()
}

func TestEveryRequestIsCountedForItsLocation(t *testing.T) {
	up := newBackend(t)
	b := hire(t, strings.ReplaceAll(measured, "UP", up.addr), nil)
	first, second := b.dial(), b.dial()
	first.send("/slow")
	<-up.arrived
	if b.current("slow") != 1 || b.current("") != 1 {
		t.Errorf("%d and %d are in process", b.current("slow"), b.current(""))
	}
	for path, want := range map[string]string{"/api": "200 from backend", "/here": "200 made here"} {
		for range 3 {
			if got := second.get(path); got != want {
				t.Fatalf("%s: %s", path, got)
			}
		}
	}
	for path, status := range map[string]string{"/slow": "429", "/away": "502", "/nowhere": "404"} {
		if got := b.dial().get(path); !strings.HasPrefix(got, status) {
			t.Fatalf("%s: %s", path, got)
		}
	}
	up.letGo <- struct{}{}
	first.answer()
	b.served(10)
	b.counts(map[string]int64{"api 2xx": 3, "slow 2xx": 1, "slow 4xx": 1, "here 2xx": 3, "away 5xx": 1})
	for what, c := range map[string][2]int64{
		"in process":          {b.current("slow") + b.current("") + b.current("api"), 0},
		"limited":             {b.word(tally.LocationBlock, "slow", tally.Limited, 1), 1},
		"bytes":               {b.word(tally.LocationBlock, "api", tally.SentBytes, 0), 3 * int64(len("from backend"))},
		"reused of clients":   {b.word(tally.ServerBlock, "", tally.ConnectionReuses, 0), 5},
		"reused of backends":  {b.word(tally.UpstreamBlock, "up", tally.UpstreamReuses, 0), 2},
		"retries":             {b.word(tally.UpstreamBlock, "away", tally.UpstreamRetries, 0), 1},
		"refused connections": {b.word(tally.UpstreamBlock, "away", tally.UpstreamErrors, tally.ErrorType("ConnectRefused")), 2},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, want %d", what, c[0], c[1])
		}
	}
	processing := int64(0)
	for i := range tally.Families()[tally.UpstreamProcessingTime].Words() - 1 {
		processing += b.word(tally.UpstreamBlock, "up", tally.UpstreamProcessingTime, i)
	}
	if processing != 4 {
		t.Errorf("%d answers of the upstream were timed, want 4", processing)
	}
}

func TestAServerCountsFromTheApplyThatGivesItMetrics(t *testing.T) {
	up := newBackend(t)
	with := strings.ReplaceAll(measured, "UP", up.addr)
	without := "[basic]\nlive_figures = false\n" + strings.ReplaceAll(with, `prometheus_metrics = "/metrics"`, "")
	b := hire(t, without, nil)
	c := b.dial()
	c.get("/api")
	b.apply(b.load(with))
	c.get("/api")
	c.get("/api")
	b.served(3)
	b.counts(map[string]int64{"api 2xx": 2})
	more := strings.Replace(with, "[upstreams.away]", "[upstreams.more]\naddrs = [\"127.0.0.1:3\"]\n[upstreams.away]", 1)
	b.apply(b.load(more)) // the same locations, for other upstreams
	c.get("/api")
	b.served(4)
	b.counts(map[string]int64{"api 2xx": 3})
	b.apply(b.load(without))
	c.get("/api")
	b.served(5)
	b.counts(map[string]int64{"api 2xx": 3})
}

func TestWhatDidNotChangeIsCountedByTheSameHandles(t *testing.T) {
	text := strings.ReplaceAll(strings.ReplaceAll(measured, "UP", "127.0.0.1:1"), "max_processing = 1\n", "")
	w := bareWorker(t, strings.ReplaceAll(text, `prometheus_metrics = "/metrics"`, ""), Timings{})
	fd, err := unix.FcntlInt(uintptr(w.arena.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if w.build.arena, err = arena.Map(fd, 0); err != nil {
		t.Fatal(err)
	}
	defer w.build.arena.Close()
	next := func(text string) *proxy.Server {
		s, err := w.build.build(t.Context(), w.next(snapshotOf(t, text)))
		if err != nil {
			t.Fatal(err)
		}
		w.goLive(s, 2)
		return s.servers["s"].Server
	}
	first := next(text)
	if again := next(strings.Replace(text, "[servers.s]", "[servers.s]\nkeepalive_requests = 7", 1)); again.Counts == nil || again.Counts != first.Counts {
		t.Error("another edit made new handles")
	} else if !maps.Equal(again.Locations, first.Locations) {
		t.Error("another edit bound all locations again")
	}
	changed := next(strings.Replace(text, `path = "/api"`, `path = "/other"`, 1))
	if maps.Equal(changed.Locations, first.Locations) {
		t.Error("a location is as it was before its change")
	}
	if live := next(strings.ReplaceAll(text, `prometheus_metrics = "/metrics"`, "")); live.Counts == nil {
		t.Error("a server without metrics does not count on for those who look")
	}
	if off := next("[basic]\nlive_figures = false\n" + strings.ReplaceAll(text, `prometheus_metrics = "/metrics"`, "")); off.Counts != nil {
		t.Error("a server counts that nobody wants counted")
	} else {
		for _, l := range off.Locations {
			if l.Counts != nil {
				t.Error("one of its locations counts")
			}
		}
	}
}

func TestATunnelIsCountedWhenItEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener and the test's connection
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 4096))
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(c, c)
	}()
	b := hire(t, strings.ReplaceAll(measured, "UP", l.Addr().String()), nil)
	c := b.dial()
	fmt.Fprint(c, "GET /api HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello")
	answer := make([]byte, 4096)
	for n := 0; !strings.Contains(string(answer[:n]), "hello"); {
		m, err := c.Read(answer[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if b.current("api") != 1 || b.word(tally.LocationBlock, "api", tally.Requests, 0) != 0 {
		t.Error("it is counted before its end")
	}
	c.Close()
	b.served(1)
	b.counts(map[string]int64{"api 1xx": 1})
	if got := b.current("api"); got != 0 {
		t.Errorf("%d in process after its end", got)
	}
	if got := b.word(tally.LocationBlock, "api", tally.SentBytes, 0); got != 5 {
		t.Errorf("%d bytes were sent", got)
	}
}
