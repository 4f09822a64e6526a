package worker

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/ipc"
	"pingap/plugins"
)

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

func TestLoopAnswersWhileBuilding(t *testing.T) {
	var release func()
	b := hire(t, config1("127.0.0.1:1"), func(o *Options) { release = hold(o) })
	defer release()
	txn, _ := b.prepare(b.load(configHeld("127.0.0.1:1")))
	b.send(ipc.StatusRequest{})
	receive[*ipc.Status](b)
	if err := b.conn.Send(t.Context(), txn, ipc.Abort{}); err != nil {
		t.Fatal(err)
	}
	receive[*ipc.Aborted](b)
	release()
	b.apply(b.load(config2("127.0.0.1:2")))
	if got := b.dial().get("/a"); got != "200 two" {
		t.Errorf("the next configuration: %s", got)
	}
}

// A drain drops whatever change is under way, also one that waits behind another.
func TestDrainDropsTheChangeUnderWay(t *testing.T) {
	up := newBackend(t)
	var release func()
	b := hire(t, config1(up.addr), func(o *Options) { release = hold(o) })
	defer release()
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	cfg := b.load(configHeld(up.addr))
	txn, _ := b.prepare(cfg)
	if err := b.conn.Send(t.Context(), txn, ipc.Abort{}); err != nil {
		t.Fatal(err)
	}
	receive[*ipc.Aborted](b)
	b.prepare(cfg) // follows the first, which may still be ending
	b.send(ipc.Drain{IdleGrace: time.Millisecond, Timeout: patience})
	receive[*ipc.Draining](b)
	release()
	up.letGo <- struct{}{}
	if status, body, _ := slow.answer(); status != 200 || body != "from backend" {
		t.Errorf("the request under way: %d %s", status, body)
	}
	receive[*ipc.Gone](b)
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
}

// hold makes the building of a site wait, where a plugin's text is "held", until the returned function is called.
func hold(o *Options) (release func()) {
	held := make(chan struct{})
	build := o.Plugins[0].New
	o.Plugins[0].New = func(p *plugins.Parameters) (plugins.Plugin, error) {
		if p.String("text") == "held" {
			<-held
		}
		return build(p)
	}
	return sync.OnceFunc(func() { close(held) })
}

func configHeld(up string) string {
	return strings.ReplaceAll(config1(up), `text = "one"`, `text = "held"`)
}
