package control

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/ipc"
)

var reload = ipc.Reload{Wait: true}

// with returns the base configuration with one text replaced.
func with(t *testing.T, old, new string) string {
	t.Helper()
	if !strings.Contains(base, old) {
		t.Fatalf("no %q in the configuration", old)
	}
	return strings.Replace(base, old, new, 1)
}

func TestBootProposesASelfContainedSnapshot(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	p := r.boot()
	if p.Base != "" || p.RequestedBy != "start" || p.Who != "file" {
		t.Errorf("proposal %+v", p.Propose)
	}
	s, err := config.OpenSnapshot(p.snapshot)
	if err != nil || s.Sha().String() != p.SHA {
		t.Fatalf("snapshot %v, %v; want %s", s, err, p.SHA)
	}
	if len(p.Listeners) != 1 || p.Listeners[0].Network != "tcp4" || p.Listeners[0].Address != "127.0.0.1:6199" ||
		p.Listeners[0].Server != "web" || p.Listeners[0].ID != ipc.ListenerID(p.Listeners[0]) {
		t.Errorf("listeners %+v", p.Listeners)
	}
	log := filepath.Join(filepath.Dir(r.conf), "logs/web.log")
	if len(p.Logs) != 1 || p.Logs[0].Path != log || p.Logs[0].Rolling != "daily" || p.Logs[0].ID != ipc.LogTargetID(p.Logs[0]) {
		t.Errorf("logs %+v, want %s", p.Logs, log)
	}
	web, err := s.Server("web")
	if err != nil || web.AccessLog != log+" combined" {
		t.Errorf("access log in the snapshot %q, %v", web.AccessLog, err)
	}
}

func TestBootWithABadConfigurationGivesTheSupervisorEveryError(t *testing.T) {
	r := newRig(t, with(t, `"/"`, `"~("`)+"\n[locations.m]\nupstream = \"none\"\n", rigOptions{})
	refused := expect[*ipc.Refused](r)
	all := strings.Join(refused.Errors, "\n")
	for _, want := range []string{r.conf + ":7", "locations.l.path", "locations.m.upstream"} {
		if !strings.Contains(all, want) {
			t.Errorf("errors %q lack %q", refused.Errors, want)
		}
	}
	r.send(0, ipc.Stop{})
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

func TestReload(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	first := r.boot()
	u := r.dial()

	a := as[*ipc.Applied](t, u.ask(reload))
	if !a.Unchanged || a.Version != 1 || a.SHA != first.SHA {
		t.Errorf("unchanged: %+v", a)
	}

	r.write(with(t, "127.0.0.1:9", "127.0.0.1:10"))
	u.send(reload)
	p := r.expectProposal()
	if p.Base != first.SHA || p.Class != ipc.ClassHot || len(p.Changes) != 1 || p.Changes[0].Object != "upstream:u" ||
		!strings.HasPrefix(p.RequestedBy, "reload by uid ") {
		t.Errorf("proposal %+v", p.Propose)
	}
	r.apply(p, 2)
	a = as[*ipc.Applied](t, u.receive())
	if a.Unchanged || a.Version != 2 || a.SHA != p.SHA || len(a.Changes) != 1 {
		t.Errorf("applied: %+v", a)
	}

	r.write(base)
	u.send(reload)
	p = r.expectProposal()
	r.send(p.txn, ipc.Refused{Code: ipc.CodeInvalid, Worker: "worker 1 (pid 7)", Reason: "no room"})
	refused := as[*ipc.Refused](t, u.receive())
	if refused.Worker != "worker 1 (pid 7)" || refused.Reason != "no room" {
		t.Errorf("refused: %+v", refused)
	}

	// What was refused is not live: the next proposal is against version 2 still.
	u.send(reload)
	if again := r.expectProposal(); again.Base != a.SHA || again.SHA != first.SHA {
		t.Errorf("proposal after a refusal: %+v", again.Propose)
	}
}

func TestReloadOfABadConfigurationReportsEveryErrorAndProposesNothing(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	u := r.dial()
	r.write(with(t, `["127.0.0.1:9"]`, "7"))
	refused := as[*ipc.Refused](t, u.ask(reload))
	if refused.Code != ipc.CodeInvalid || len(refused.Errors) != 1 || !strings.Contains(refused.Errors[0], r.conf+":10: upstreams.u.addrs") {
		t.Errorf("%+v", refused)
	}
	r.write("[broken")
	if refused = as[*ipc.Refused](t, u.ask(reload)); len(refused.Errors) == 0 {
		t.Errorf("%+v", refused)
	}
	r.write(base)
	if a := as[*ipc.Applied](t, u.ask(reload)); !a.Unchanged {
		t.Errorf("%+v", a)
	}
}

func TestRefusalForAHeavyChangeNamesTheKeys(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	u := r.dial()
	r.write("[basic]\nthreads = 3\n" + base)
	u.send(reload)
	p := r.expectProposal()
	if p.Class != ipc.ClassRoll || p.Settings.Threads != 3 {
		t.Errorf("%+v", p.Propose)
	}
	r.send(p.txn, ipc.Refused{Code: ipc.CodeNeedsRoll, Reason: "needs fresh workers"})
	if got := as[*ipc.Refused](t, u.receive()); !strings.Contains(got.Reason, "basic.threads") {
		t.Errorf("%+v", got)
	}
}

func TestWarningsReachTheClient(t *testing.T) {
	r := newRig(t, base+"unknown = 1\n", rigOptions{})
	r.boot()
	a := as[*ipc.Applied](t, r.dial().ask(reload))
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "upstreams.u.unknown") {
		t.Errorf("%+v", a)
	}
}

// Whatever a configuration does to the child, control answers and goes on.
func TestAConfigurationCannotTakeControlDown(t *testing.T) {
	cases := []struct {
		category, reason string
		limits           Limits
	}{
		{"memory", ErrMemory.Error(), Limits{Memory: 128 << 20, Time: patience}},
		{"slow", ErrTime.Error(), Limits{Time: 3 * time.Second}},
		{"crash", "the check has a bug", Limits{}},
	}
	for _, c := range cases {
		t.Run(c.category, func(t *testing.T) {
			r := newRig(t, base, rigOptions{limits: c.limits})
			r.boot()
			r.write(base + "[plugins.p]\ncategory = \"" + c.category + "\"\n")
			got := as[*ipc.Refused](t, r.dial().ask(reload))
			if got.Code != ipc.CodeResources || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("%+v", got)
			}
			r.write(base)
			if a := as[*ipc.Applied](t, r.dial().ask(reload)); !a.Unchanged {
				t.Errorf("afterwards: %+v", a)
			}
		})
	}
}

func TestAfterACrashNothingIsAppliedUntilAskedFor(t *testing.T) {
	plain := with(t, "logs/web.log combined", "combined") // paths differ between the two
	live := newRig(t, plain, rigOptions{})
	p := live.boot()

	r := newRig(t, strings.Replace(plain, "127.0.0.1:9", "127.0.0.1:10", 1),
		rigOptions{start: &ipc.ControlStart{Version: 7, SHA: p.SHA}, live: p.snapshot, watch: WatchAll})
	// The first thing that control does for the supervisor is what the client asks for.
	u := r.dial()
	u.send(reload)
	next := r.expectProposal()
	if !strings.HasPrefix(next.RequestedBy, "reload by") || next.Base != p.SHA || len(next.Changes) != 1 {
		t.Errorf("%+v", next.Propose)
	}
	r.apply(next, 8)
	if a := as[*ipc.Applied](t, u.receive()); a.Version != 8 {
		t.Errorf("%+v", a)
	}
}

func TestSIGHUPReloads(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	r.write(with(t, "127.0.0.1:9", "127.0.0.1:10"))
	r.send(0, ipc.Reload{})
	if p := r.expectProposal(); p.RequestedBy != "SIGHUP" {
		t.Errorf("%+v", p.Propose)
	}
}

func TestAutoreloadAppliesHotChangesOnly(t *testing.T) {
	r := newRig(t, base, rigOptions{watch: WatchHot})
	r.boot()
	r.write(with(t, "127.0.0.1:9", "127.0.0.1:10"))
	p := r.expectProposal()
	if p.RequestedBy != "autoreload" || p.Class != ipc.ClassHot {
		t.Errorf("%+v", p.Propose)
	}
	r.apply(p, 2)

	// A heavy change is not proposed by the watcher; the same by reload is.
	r.write("[basic]\nthreads = 3\n" + base)
	u := r.dial()
	u.send(reload)
	p = r.expectProposal()
	if !strings.HasPrefix(p.RequestedBy, "reload by") || p.Class != ipc.ClassRoll {
		t.Errorf("%+v", p.Propose)
	}
}

func TestAutorestartAppliesHeavyChanges(t *testing.T) {
	r := newRig(t, base, rigOptions{watch: WatchAll})
	r.boot()
	r.write("[basic]\nthreads = 3\n" + base)
	if p := r.expectProposal(); p.RequestedBy != "autoreload" || p.Class != ipc.ClassRoll {
		t.Errorf("%+v", p.Propose)
	}
}

func TestControlEndsWithTheSupervisor(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	r.sup.Close()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// Requests that come while a load runs share the next one.
func TestConcurrentReloadsShareLoads(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	r.write(with(t, "127.0.0.1:9", "127.0.0.1:10"))
	users := make([]*user, 10)
	for i := range users {
		users[i] = r.dial()
		users[i].send(reload)
	}
	p := r.expectProposal()
	r.apply(p, 2)
	for _, u := range users {
		if a := as[*ipc.Applied](t, u.receive()); a.Version != 2 {
			t.Errorf("%+v", a)
		}
	}
	// Nothing but the one proposal came.
	r.dial().send(ipc.StatusRequest{})
	expect[*ipc.StatusRequest](r)
}

func TestRunRefusesAWrongStart(t *testing.T) {
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if err := ours.Send(context.Background(), 0, ipc.Activate{}); err != nil {
		t.Fatal(err)
	}
	if err := Run(context.Background(), Options{Conn: theirs}); err == nil || !strings.Contains(err.Error(), "expected control_start") {
		t.Errorf("error %v", err)
	}
}
