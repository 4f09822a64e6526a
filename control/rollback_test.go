package control

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/history"
	"pingap/ipc"
)

// keeper starts control again and again on one configuration and one state directory.
type keeper struct {
	t *testing.T
	rigOptions
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	dir := t.TempDir()
	return &keeper{t, rigOptions{conf: filepath.Join(dir, "p.toml"), state: filepath.Join(dir, "state")}}
}

// run starts control; an empty text leaves the configuration as it is.
func (k *keeper) run(text string) *rig {
	k.t.Helper()
	if err := os.MkdirAll(k.state, 0o700); err != nil {
		k.t.Fatal(err)
	}
	return newRig(k.t, text, k.rigOptions)
}

func (r *rig) stop() {
	r.t.Helper()
	r.send(0, ipc.Stop{})
	if err := r.wait(); err != nil {
		r.t.Fatal(err)
	}
}

// backend is the configuration with another backend; it has no file whose path depends on the test.
func backend(t *testing.T, addr string) string {
	t.Helper()
	return strings.Replace(with(t, "127.0.0.1:9", addr), "logs/web.log combined", "combined", 1)
}

// change makes a configuration live, as the version that control asks for.
func (r *rig) change(u *user, text string) proposal {
	r.t.Helper()
	r.write(text)
	u.send(reload)
	return r.follow(u)
}

// follow applies what is proposed next, which a client waits for.
func (r *rig) follow(u *user) proposal {
	r.t.Helper()
	p := r.expectProposal()
	r.apply(p, p.Number)
	as[*ipc.Applied](r.t, u.receive())
	return p
}

// wholeOf reads all parts of a document.
func wholeOf[T any](u *user, b ipc.ConfigRead) T {
	u.t.Helper()
	var data []byte
	for {
		b.Offset = len(data)
		part := as[*ipc.ConfigPart](u.t, u.ask(b))
		data = append(data, part.Data...)
		if len(data) >= part.Total {
			break
		}
	}
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		u.t.Fatal(err)
	}
	return value
}

func list(u *user) history.List {
	return wholeOf[history.List](u, ipc.ConfigRead{What: ipc.ConfigList})
}

// status asks for it as a client.
func (r *rig) status(u *user) *ipc.StatusAll {
	r.t.Helper()
	u.send(ipc.StatusRequest{})
	m := r.receive()
	m.Close()
	r.send(m.Txn, ipc.StatusAll{})
	return as[*ipc.StatusAll](r.t, u.receive())
}

// kept waits until a version is live and kept.
func (r *rig) kept(u *user, number uint64) history.List {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		l := list(u)
		if n := len(l.Versions); l.Live == number && n > 0 && l.Versions[n-1].Number == number {
			return l
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("version %d is not kept: %+v", number, l)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var back = ipc.Rollback{Wait: true}

func TestEveryVersionIsKeptWithWhatItChanged(t *testing.T) {
	k := newKeeper(t)
	r := k.run(backend(t, "127.0.0.1:1"))
	first := r.expectProposal()
	r.apply(first, first.Number)
	u := r.dial()
	second := r.change(u, backend(t, "127.0.0.1:2"))
	if first.Number != 1 || second.Number != 2 {
		t.Errorf("numbers %d and %d", first.Number, second.Number)
	}
	l := list(u)
	if l.Live != 2 || len(l.Versions) != 2 {
		t.Fatalf("%+v", l)
	}
	v := l.Versions[1]
	if v.SHA != second.SHA || !strings.HasPrefix(v.By, "reload by uid") || v.Source != r.conf || v.At.IsZero() || v.CopyOf != 0 {
		t.Errorf("%+v", v)
	}
	want := []history.Change{{Object: "upstream:u", Op: "changed", Class: "hot",
		Keys: []history.Key{{Key: "addrs", Old: `["127.0.0.1:1"]`, New: `["127.0.0.1:2"]`}}}}
	if len(v.Changes) != 1 || !slices.Equal(v.Changes[0].Keys, want[0].Keys) || v.Changes[0].Object != "upstream:u" {
		t.Errorf("changes %+v, want %+v", v.Changes, want)
	}
	if n := len(l.Versions[0].Changes); n != 3 {
		t.Errorf("%d objects in the first version", n)
	}
	d := wholeOf[history.Diff](u, ipc.ConfigRead{What: ipc.ConfigDiff, Version: 2, Other: 1})
	if len(d.Changes) != 1 || d.Changes[0].Keys[0].New != `["127.0.0.1:1"]` {
		t.Errorf("diff %+v", d)
	}
	text := wholeOf[history.Text](u, ipc.ConfigRead{What: ipc.ConfigShow, Version: 1})
	cfg, report := config.Load([]config.Document{{Name: "t", Data: []byte(text.Config)}}, config.Options{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if _, sha := config.Encode(cfg); sha.String() != first.SHA {
		t.Errorf("what is shown is not version 1:\n%s", text.Config)
	}
	for _, b := range []ipc.ConfigRead{{What: "else"}, {What: ipc.ConfigShow, Version: 7}, {What: ipc.ConfigDiff, Version: 1},
		{What: ipc.ConfigList, Offset: 5}, {What: ipc.ConfigList, Offset: -1}} {
		if refused := as[*ipc.Refused](t, u.ask(b)); refused.Code != ipc.CodeInvalid && refused.Code != ipc.CodeResources {
			t.Errorf("%+v: %+v", b, refused)
		}
	}
}

func TestNumbersGoOnAndTheSameConfigurationKeepsItsNumber(t *testing.T) {
	k := newKeeper(t)
	r := k.run(backend(t, "127.0.0.1:1"))
	r.boot()
	r.change(r.dial(), backend(t, "127.0.0.1:2"))
	r.stop()

	r = k.run("")
	p := r.expectProposal()
	if p.Number != 2 {
		t.Errorf("the same again gets number %d, want 2", p.Number)
	}
	r.apply(p, p.Number)
	u := r.dial()
	if l := r.kept(u, 2); len(l.Versions) != 2 {
		t.Errorf("%+v", l)
	}
	r.stop()

	r = k.run(backend(t, "127.0.0.1:3"))
	p = r.expectProposal()
	if p.Number != 3 {
		t.Errorf("another configuration gets number %d, want 3", p.Number)
	}
	r.apply(p, p.Number)
	if l := r.kept(r.dial(), 3); len(l.Versions) != 3 || len(l.Versions[2].Changes) != 1 || l.Versions[2].By != "start" {
		t.Errorf("%+v", l)
	}
}

func TestARollbackIsAnApplyOfAKeptVersion(t *testing.T) {
	k := newKeeper(t)
	withLog := strings.Replace(backend(t, "127.0.0.1:1"), `access_log = "combined"`, `access_log = "logs/a.log {$TOKEN} {status}"`, 1)
	r := k.run("[basic]\nworkers = 3\n" + withLog)
	first := r.boot()
	u := r.dial()
	second := r.change(u, backend(t, "127.0.0.1:2"))
	u.send(back)
	p := r.expectProposal()
	if p.SHA != first.SHA || p.Base != second.SHA || p.Number != 3 || p.Who != "history" || p.Class != ipc.ClassRoll || p.Fallback {
		t.Errorf("proposal %+v", p.Propose)
	}
	if !strings.HasPrefix(p.RequestedBy, "rollback to 1 by uid ") || p.Settings.Workers != 3 || !slices.Equal(p.Listeners, first.Listeners) ||
		!slices.Equal(p.Logs, first.Logs) || len(p.Logs) != 1 || !slices.Equal(p.Env, []string{"TOKEN"}) {
		t.Errorf("proposal %+v", p.Propose)
	}
	r.apply(p, 3)
	if a := as[*ipc.Applied](t, u.receive()); a.Version != 3 || a.SHA != first.SHA {
		t.Errorf("%+v", a)
	}
	if v := list(u).Versions[2]; v.CopyOf != 1 || v.SHA != first.SHA || v.Held == "" {
		t.Errorf("%+v", v)
	}
	if s := r.status(u).Source; !s.Differs || s.Rollback != 1 {
		t.Errorf("source %+v", s)
	}
	// To where it is already.
	if a := as[*ipc.Applied](t, u.ask(ipc.Rollback{Version: 1, Wait: true})); !a.Unchanged || a.Version != 3 {
		t.Errorf("%+v", a)
	}
	// The version before this one is what was live before the rollback.
	u.send(back)
	if p := r.follow(u); p.SHA != second.SHA || p.Number != 4 {
		t.Errorf("proposal %+v", p.Propose)
	}
	if s := r.status(u).Source; s.Differs || s.Rollback != 0 {
		t.Errorf("source %+v: it is what is live", s)
	}
	if refused := as[*ipc.Refused](t, u.ask(ipc.Rollback{Version: 99, Wait: true})); !strings.Contains(refused.Reason, "99 is not kept") {
		t.Errorf("%+v", refused)
	}
}

func TestAReloadAfterARollbackAppliesTheSource(t *testing.T) {
	k := newKeeper(t)
	r := k.run(backend(t, "127.0.0.1:1"))
	r.boot()
	u := r.dial()
	second := r.change(u, backend(t, "127.0.0.1:2"))
	u.send(back)
	r.follow(u)
	u.send(reload)
	if p := r.follow(u); p.SHA != second.SHA || p.Number != 4 {
		t.Errorf("proposal %+v", p.Propose)
	}
	if s := r.status(u).Source; s.Differs || s.Rollback != 0 {
		t.Errorf("source %+v", s)
	}
}

func TestAutoreloadLeavesARollbackAloneUntilTheSourceChanges(t *testing.T) {
	k := newKeeper(t)
	k.watch = WatchHot
	r := k.run(backend(t, "127.0.0.1:1"))
	r.boot()
	r.write(backend(t, "127.0.0.1:2"))
	r.apply(r.expectProposal(), 2)
	u := r.dial()
	u.send(ipc.Rollback{Version: 1, Wait: true})
	r.follow(u)
	// What says nothing new: a look at it would come before the look at what follows.
	r.write(backend(t, "127.0.0.1:2"))
	as[*ipc.Ready](t, u.ask(ipc.Rollback{Version: 1}))
	r.write(backend(t, "127.0.0.1:3"))
	if p := r.expectProposal(); p.RequestedBy != "autoreload" || p.Number != 4 || len(p.Changes) != 1 {
		t.Errorf("proposal %+v", p.Propose)
	}
}

func TestAStartHoldsWhatWasRolledBackToUntilTheSourceChanges(t *testing.T) {
	k := newKeeper(t)
	r := k.run(backend(t, "127.0.0.1:1"))
	first := r.boot()
	u := r.dial()
	r.change(u, backend(t, "127.0.0.1:2"))
	u.send(back)
	r.follow(u)
	r.stop()

	for range 2 {
		r = k.run("")
		p := r.expectProposal()
		if p.SHA != first.SHA || p.Number != 3 || !p.Fallback || p.RequestedBy != "start" {
			t.Errorf("proposal %+v", p.Propose)
		}
		r.apply(p, 3)
		u = r.dial()
		if l := r.kept(u, 3); len(l.Versions) != 3 || l.Versions[2].CopyOf != 1 {
			t.Errorf("%+v", l)
		}
		if s := r.status(u); !s.Source.Differs || s.Source.Rollback != 1 || len(s.Notes) > 0 {
			t.Errorf("status %+v", s)
		}
		r.stop()
	}

	r = k.run(backend(t, "127.0.0.1:3"))
	if p := r.expectProposal(); p.SHA == first.SHA || p.Number != 4 || p.Fallback {
		t.Errorf("proposal %+v", p.Propose)
	}
}

// Control alone comes back: the supervisor says what is live, and the history what that is.
func TestARestartOfControlKnowsOfTheRollback(t *testing.T) {
	k := newKeeper(t)
	k.watch = WatchAll
	r := k.run(backend(t, "127.0.0.1:1"))
	first := r.boot()
	u := r.dial()
	r.change(u, backend(t, "127.0.0.1:2"))
	u.send(back)
	r.follow(u)
	r.stop()

	k.start, k.live = &ipc.ControlStart{Version: 3, SHA: first.SHA}, first.snapshot
	r = k.run("")
	u = r.dial()
	r.kept(u, 3)
	s := r.status(u).Source
	for begun := time.Now(); s.By != "control restart" && time.Since(begun) < patience; { // the look comes first
		s = r.status(u).Source
	}
	if !s.Differs || s.Rollback != 1 {
		t.Errorf("source %+v", s)
	}
	r.write(backend(t, "127.0.0.1:3"))
	if p := r.expectProposal(); p.RequestedBy != "autoreload" || p.Number != 4 {
		t.Errorf("proposal %+v", p.Propose)
	}
}

func TestAHeldVersionThatCannotBeLiveGivesWayToTheSource(t *testing.T) {
	k := newKeeper(t)
	r := k.run(backend(t, "127.0.0.1:1"))
	first := r.boot()
	u := r.dial()
	second := r.change(u, backend(t, "127.0.0.1:2"))
	u.send(back)
	r.follow(u)
	r.stop()

	// Refused by the supervisor.
	r = k.run("")
	p := r.expectProposal()
	if p.SHA != first.SHA || !p.Fallback {
		t.Errorf("proposal %+v", p.Propose)
	}
	r.send(p.txn, ipc.Refused{Code: ipc.CodeListen, Reason: "address in use"})
	if p = r.expectProposal(); p.SHA != second.SHA || p.Fallback || p.Number != 4 {
		t.Errorf("proposal %+v", p.Propose)
	}
	r.stop()

	// Not readable any more: as far as this build can tell it is no snapshot.
	path := filepath.Join(k.state, "versions", "00000000000000000003")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r = k.run("")
	if p = r.expectProposal(); p.SHA != second.SHA || p.Number != 4 {
		t.Errorf("proposal %+v", p.Propose)
	}
	r.apply(p, p.Number)
	u = r.dial()
	if n := r.status(u).Notes; len(n) != 1 || !strings.Contains(n[0], "version 3, which had been rolled back to") {
		t.Errorf("notes %q", n)
	}
}

func TestWhereNothingCanBeKeptChangesAreAppliedAndStatusSaysSo(t *testing.T) {
	k := newKeeper(t)
	if err := os.MkdirAll(k.state, 0o700); err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(k.state, "versions")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := k.run(backend(t, "127.0.0.1:1"))
	r.boot()
	u := r.dial()
	r.change(u, backend(t, "127.0.0.1:2"))
	if n := r.status(u).Notes; len(n) != 1 || !strings.Contains(n[0], "not kept for rollback") {
		t.Errorf("notes %q", n)
	}
	as[*ipc.Refused](t, u.ask(back))
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	r.change(u, backend(t, "127.0.0.1:3"))
	if n := r.status(u).Notes; len(n) > 0 {
		t.Errorf("notes %q", n)
	}
	if l := list(u); len(l.Versions) != 1 || l.Versions[0].Number != 3 {
		t.Errorf("%+v", l)
	}
}

func TestHowManyAreKeptIsHot(t *testing.T) {
	k := newKeeper(t)
	r := k.run("[basic]\nconfig_history = 2\n" + backend(t, "127.0.0.1:1"))
	r.boot()
	u := r.dial()
	for _, addr := range []string{"127.0.0.1:2", "127.0.0.1:3"} {
		r.change(u, "[basic]\nconfig_history = 2\n"+backend(t, addr))
	}
	if l := list(u); len(l.Versions) != 2 || l.Versions[0].Number != 2 {
		t.Errorf("%+v", l)
	}
	if p := r.change(u, "[basic]\nconfig_history = 0\n"+backend(t, "127.0.0.1:4")); p.Class != ipc.ClassHot || p.Number != 4 {
		t.Errorf("%+v", p.Propose)
	}
	if l := list(u); l.Live != 4 || len(l.Versions) != 0 {
		t.Errorf("%+v", l)
	}
	if refused := as[*ipc.Refused](t, u.ask(back)); !strings.Contains(refused.Reason, "no version before the live one") {
		t.Errorf("%+v", refused)
	}
}

func TestALargeConfigurationIsShownInParts(t *testing.T) {
	k := newKeeper(t)
	var b strings.Builder
	b.WriteString(backend(t, "127.0.0.1:1"))
	for i := range 3000 {
		fmt.Fprintf(&b, "[upstreams.more%d]\naddrs = [\"127.0.0.1:9\"]\n", i)
	}
	r := k.run(b.String())
	r.boot()
	u := r.dial()
	r.kept(u, 1)
	text := wholeOf[history.Text](u, ipc.ConfigRead{What: ipc.ConfigShow})
	if n := strings.Count(text.Config, "\n[upstreams."); n != 3001 || text.Number != 1 {
		t.Errorf("%d upstreams in version %d", n, text.Number)
	}
}
