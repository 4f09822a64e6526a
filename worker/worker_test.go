package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
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
func TestCommitSwapsWhileRequestsRun(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow, quick := b.dial(), b.dial()
	slow.send("/slow")
	<-up.arrived
	txn, sha := b.prepare(b.load(config2("127.0.0.1:1")))
	receive[*ipc.Prepared](b)
	if got := quick.get("/a"); got != "200 one" {
		t.Errorf("prepared, not committed: %s", got)
	}
	b.commit(txn, sha)
	if got := quick.get("/a"); got != "200 two" {
		t.Errorf("after commit: %s", got)
	}
	if got := quick.get("/x"); !strings.HasPrefix(got, "502 ") {
		t.Errorf("new upstream: %.60s", got)
	}
	up.letGo <- struct{}{}
	if status, body, _ := slow.answer(); status != 200 || body != "from backend" {
		t.Errorf("request under way: %d %s", status, body)
	}
	if got := slow.get("/a"); got != "200 two" {
		t.Errorf("next request of it: %s", got)
	}
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.SHA != sha || s.Version != 2 {
		t.Errorf("status %+v", s)
	}
}

func TestBadPrepareIsRefusedAndNothingChanges(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	bad := b.load(config2("127.0.0.1:1"))
	bad.Locations["a"].Rewrite = "( x"
	b.prepare(bad)
	nack := receive[*ipc.Nack](b)
	if nack.Code != ipc.CodeInvalid || nack.Path != "locations.a" || !strings.Contains(nack.Message, "rewrite") {
		t.Errorf("refused with %+v", nack)
	}
	if got := b.dial().get("/a"); got != "200 one" {
		t.Errorf("afterwards: %s", got)
	}
	b.send(ipc.Abort{})
	receive[*ipc.Aborted](b)
	b.apply(b.load(config2("127.0.0.1:1")))
	if got := b.dial().get("/a"); got != "200 two" {
		t.Errorf("a good one after it: %s", got)
	}
}

func TestPrepareNeedsTheRightBase(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	right := b.sha
	b.sha = "other"
	b.prepare(b.load(config2("127.0.0.1:1")))
	if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeNeedSnapshot {
		t.Errorf("refused with %+v", nack)
	}
	b.sha = right
	b.apply(b.load(config2("127.0.0.1:1")))
}

func TestAbortDropsWhatIsPrepared(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	txn, _ := b.prepare(b.load(config2("127.0.0.1:1")))
	receive[*ipc.Prepared](b)
	b.prepare(b.load(config2("127.0.0.1:2")))
	if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeBusy {
		t.Errorf("a second one: %+v", nack)
	}
	abort := func() {
		t.Helper()
		if err := b.conn.Send(t.Context(), txn, ipc.Abort{}); err != nil {
			t.Fatal(err)
		}
		receive[*ipc.Aborted](b)
	}
	abort()
	abort() // twice is fine
	if err := b.conn.Send(t.Context(), txn, ipc.Commit{}); err != nil {
		t.Fatal(err)
	}
	receive[*ipc.Nack](b) // nothing to commit
	if got := b.dial().get("/a"); got != "200 one" {
		t.Errorf("afterwards: %s", got)
	}
	b.awaitClosed("two")
	if slices.Contains(b.closedPlugins(), "one") {
		t.Error("a plugin in use was closed")
	}
}

// awaitClosed waits for a plugin to be closed, which needs the garbage collector and a heartbeat.
func (b *boss) awaitClosed(text string) {
	b.t.Helper()
	for end := time.Now().Add(patience); !slices.Contains(b.closedPlugins(), text); {
		if time.Now().After(end) {
			b.t.Fatalf("plugin %q is not closed: %q", text, b.closedPlugins())
		}
		runtime.GC()
		b.send(ipc.StatusRequest{})
		receive[*ipc.Status](b)
	}
}

func (b *boss) closedPlugins() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.closed)
}

// A build that waits for names leaves the loop free, can be aborted, and the next one follows.
func TestLoopAnswersWhileBuilding(t *testing.T) {
	hole := silentDNS(t)
	b := hire(t, config1("127.0.0.1:1"), func(o *Options) { o.Timings.Names = patience })
	cfg := b.load(config2("somewhere.test:80"))
	cfg.Upstreams["up"].DNSServer = hole
	txn, _ := b.prepare(cfg)
	b.send(ipc.StatusRequest{})
	receive[*ipc.Status](b)
	if err := b.conn.Send(t.Context(), txn, ipc.Abort{}); err != nil {
		t.Fatal(err)
	}
	receive[*ipc.Aborted](b)
	b.apply(b.load(config2("127.0.0.1:2")))
	if got := b.dial().get("/a"); got != "200 two" {
		t.Errorf("the next configuration: %s", got)
	}
}

func TestDrainFinishesWhatRunsAndClosesTheRest(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow, idle, used := b.dial(), b.dial(), b.dial()
	idle.get("/a")
	used.get("/a")
	slow.send("/slow")
	<-up.arrived
	b.send(ipc.Drain{IdleGrace: 300 * time.Millisecond, Timeout: patience, Reason: "test"})
	if d := receive[*ipc.Draining](b); d.Left != 3 {
		t.Errorf("%d left, want 3", d.Left)
	}
	used.send("/a")
	if status, _, last := used.answer(); status != 200 || !last {
		t.Errorf("a request while draining: %d, last %t", status, last)
	}
	used.ends()
	idle.ends()
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.State != ipc.StateDraining {
		t.Errorf("state %s", s.State)
	}
	b.prepare(b.load(config2(up.addr)))
	if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeBusy {
		t.Errorf("prepare while draining: %+v", nack)
	}
	up.letGo <- struct{}{}
	if status, body, last := slow.answer(); status != 200 || body != "from backend" || !last {
		t.Errorf("the request under way: %d %s, last %t", status, body, last)
	}
	if gone := receive[*ipc.Gone](b); gone.Requests != 4 || gone.Cut != 0 {
		t.Errorf("gone %+v", gone)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	if got := b.closedPlugins(); len(got) != 1 || got[0] != "one" {
		t.Errorf("closed plugins %q", got)
	}
}

func TestDrainCutsAtItsTimeOut(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.send(ipc.Drain{IdleGrace: time.Second, Timeout: time.Hour})
	receive[*ipc.Draining](b)
	b.send(ipc.DrainFaster{Timeout: 50 * time.Millisecond})
	receive[*ipc.Draining](b)
	if gone := receive[*ipc.Gone](b); gone.Cut != 1 {
		t.Errorf("gone %+v", gone)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	up.letGo <- struct{}{}
}

func TestSignalsDrainThenEnd(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.signal <- syscall.SIGTERM
	b.send(ipc.StatusRequest{})
	for receive[*ipc.Status](b).State != ipc.StateDraining { // the signal has a way of its own
		b.send(ipc.StatusRequest{})
	}
	b.signal <- syscall.SIGTERM
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	up.letGo <- struct{}{}
}

func TestStopEndsAtOnce(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	c := b.dial()
	c.get("/a")
	b.send(ipc.Stop{Fast: true})
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	c.ends()
}

func TestWorkerWithoutSupervisorServesOnThenDrains(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), func(o *Options) {
		o.Timings.Orphan, o.Timings.IdleGrace = 300*time.Millisecond, 100*time.Millisecond
	})
	b.conn.Close()
	if got := b.dial().get("/a"); got != "200 one" {
		t.Errorf("without supervisor: %s", got)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
}

func TestSupervisorThatGoesAwayEarlyEndsTheWorker(t *testing.T) {
	b := newBoss(t, nil)
	b.conn.Close()
	if err := b.outcome(); err == nil {
		t.Error("no error")
	}
}

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

func TestContextEndsTheWorker(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	b.stop()
	if err := b.outcome(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestAccessLogFollowsNewFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	cfg := config1("127.0.0.1:1") + `access_log = "` + path + `?rolling=never {method} {path} {status}"` + "\n"
	b := newBoss(t, nil)
	b.start(cfg, map[string]*os.File{path: open(path)})
	b.activate()
	c := b.dial()
	c.get("/a")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		var fds ipc.FDs
		b.send(ipc.LogFDs{Logs: targets(map[string]*os.File{path: open(path)}, &fds)}, fds...)
		receive[*ipc.LogsTaken](b)
	}
	reopen()
	wantFile(t, path+".1", "GET /a 200\n")
	c.get("/a")
	// A configuration that keeps the log keeps its writer.
	b.apply(b.load(strings.ReplaceAll(cfg, `text = "one"`, `text = "two"`)))
	c.get("/a")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	reopen()
	wantFile(t, path+".2", "GET /a 200\nGET /a 200\n")
	c.get("/a")
	b.send(ipc.Stop{})
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	wantFile(t, path, "GET /a 200\n")
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}
