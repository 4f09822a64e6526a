package worker

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/ipc"
)

// Configurations of the tests; UP is the backend.
const (
	answering1 = `
[plugins.a]
category = "answer"
text = "one"
[upstreams.up]
addrs = ["UP"]
[locations.a]
path = "/a"
plugins = ["a"]
[locations.up]
upstream = "up"
[servers.s]
addr = "LISTEN"
locations = ["a", "up"]
`
)

func config1(up string) string { return strings.ReplaceAll(answering1, "UP", up) }

func config2(up string) string {
	return strings.ReplaceAll(config1(up), `text = "one"`, `text = "two"`)
}

func TestServesPluginAndUpstream(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	c := b.dial()
	if got := c.get("/a"); got != "200 one" {
		t.Errorf("plugin: %s", got)
	}
	if got := c.get("/x"); got != "200 from backend" {
		t.Errorf("upstream: %s", got)
	}
}

func TestNothingIsAcceptedBeforeActivate(t *testing.T) {
	b := newBoss(t, nil)
	b.start(config1("127.0.0.1:1"), nil)
	c := b.dial() // waits in the backlog
	c.send("/a")
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.State != ipc.StateReady || s.Accepted != 0 {
		t.Errorf("before: %+v", s)
	}
	b.activate()
	if status, body, _ := c.answer(); status != 200 || body != "one" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestStartThatCannotBeBuiltIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*config.Config)
		path   string
	}{
		"regex":    {func(c *config.Config) { c.Locations["a"].Path = "~(" }, "locations.a"},
		"plugin":   {func(c *config.Config) { c.Plugins["a"].Params["text"] = "broken" }, "locations.a"},
		"upstream": {func(c *config.Config) { c.Locations["up"].Upstream = "gone" }, "locations.up"},
		"location": {func(c *config.Config) { c.Servers["s"].Locations = []string{"gone"} }, "locations.gone"},
		"trusted":  {func(c *config.Config) { c.Basic.TrustedProxies = []string{"x"} }, "basic.trusted_proxies"},
		"log file": {func(c *config.Config) { c.Servers["s"].AccessLog = "/not/handed/over combined" }, "servers.s.access_log"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoss(t, nil)
			cfg := b.load(config1("127.0.0.1:1"))
			c.change(cfg)
			b.sendStart(cfg, nil)
			if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeInvalid || nack.Path != c.path || nack.Message == "" {
				t.Errorf("refused with %+v", nack)
			}
			if err := b.outcome(); err == nil {
				t.Error("no error")
			}
		})
	}
}

// Requests under way keep the site they began with; later ones, on the same connection, have the new one.
// awaitClosed waits for a plugin to be closed, which needs the garbage collector and a heartbeat.
// A build that waits for names leaves the loop free, can be aborted, and the next one follows.
func TestUnknownMessagesAreAnswered(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	b.send(ipc.MetricsPull{})
	if u := receive[*ipc.Unknown](b); u.Of != ipc.TypeMetricsPull {
		t.Errorf("%+v", u)
	}
}

func TestMaxProcessingCountsInTheArena(t *testing.T) {
	up := newBackend(t)
	b := hire(t, strings.ReplaceAll(config1(up.addr), `upstream = "up"`, "upstream = \"up\"\nmax_processing = 2"), nil)
	count, err := b.arena.Counter("location/up/processing")
	if err != nil {
		t.Fatal(err)
	}
	other := b.dial()
	for n := range int64(2) {
		c := b.dial()
		c.send("/slow")
		<-up.arrived
		if got := count.Load(); got != n+1 {
			t.Errorf("%d requests in process, want %d", got, n+1)
		}
	}
	if got := other.get("/x"); !strings.HasPrefix(got, "429 ") {
		t.Errorf("one too many: %.60s", got)
	}
	up.letGo <- struct{}{}
	up.letGo <- struct{}{}
}

func TestNothingIsLeftBehind(t *testing.T) {
	up := newBackend(t)
	round := func() {
		b := hire(t, config1(up.addr), nil)
		c := b.dial()
		defer c.Close()
		c.get("/x")
		b.apply(b.load(config2(up.addr)))
		c.get("/a")
		b.send(ipc.Drain{IdleGrace: time.Millisecond, Timeout: patience})
		receive[*ipc.Draining](b)
		receive[*ipc.Gone](b)
		if err := b.outcome(); err != nil {
			t.Fatal(err)
		}
		b.finish()
	}
	round()
	files, routines := openDescriptors(t), ownGoroutines()
	for range 3 {
		round()
	}
	// Clients and the backend close when they have read the end.
	for end := time.Now().Add(patience); openDescriptors(t) > files || ownGoroutines() > routines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors, %d goroutines; before %d, %d", openDescriptors(t), ownGoroutines(), files, routines)
		}
	}
}

func openDescriptors(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// ownGoroutines counts the goroutines in code of this project.
func ownGoroutines() int {
	buf := make([]byte, 1<<20)
	n := 0
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "pingap/") && !strings.Contains(stack, "pingap/worker.TestNothing") {
			n++
		}
	}
	return n
}

func TestAcceptingPausesAtTheLimit(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1")+"[basic]\nmax_connections = 2\n", nil)
	first, second := b.dial(), b.dial()
	first.get("/a")
	second.get("/a")
	third := b.dial() // in the backlog
	third.send("/a")
	for range 3 { // control stays reachable
		b.send(ipc.StatusRequest{})
		if s := receive[*ipc.Status](b); s.Accepted != 2 {
			t.Fatalf("accepted %d connections, want 2", s.Accepted)
		}
	}
	first.Close()
	if status, body, _ := third.answer(); status != 200 || body != "one" {
		t.Errorf("after one has left: %d %s", status, body)
	}
	// A higher limit is hot.
	fourth := b.dial()
	fourth.send("/a")
	b.apply(b.load(config1("127.0.0.1:1") + "[basic]\nmax_connections = 3\n"))
	if status, _, _ := fourth.answer(); status != 200 {
		t.Errorf("after the limit was raised: %d", status)
	}
}
