package fleet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pingap/control/acme"
	"pingap/control/source/etcd"
)

// three nodes that run and want some certificates.
func three(r *rig, want ...acme.Wanted) []*node {
	all := []*node{r.node("one"), r.node("two"), r.node("three")}
	for _, n := range all {
		n.serve = true
		n.run(want...)
	}
	return all
}

// dump is all of etcd, as whoever may read it sees it.
func (r *rig) dump() string {
	r.t.Helper()
	out, err := r.etcd.Ctl("get", "", "--prefix", "-w", "json")
	if err != nil {
		r.t.Fatal(err)
	}
	var answer struct {
		Kvs []struct{ Key, Value string }
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		r.t.Fatal(err)
	}
	var text strings.Builder
	for _, kv := range answer.Kvs {
		for _, part := range []string{kv.Key, kv.Value} {
			raw, err := base64.StdEncoding.DecodeString(part)
			if err != nil {
				r.t.Fatal(err)
			}
			text.Write(raw)
			text.WriteByte('\n')
		}
	}
	return text.String()
}

func TestOneNodeIsIssuedACertificateAndAllServeIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nodes := three(r, r.site("site"))
	var first acme.Item
	for _, n := range nodes {
		item := n.has("site", acme.Item{})
		if first.Chain == nil {
			first = item
		}
		if serial(t, item) != serial(t, first) || string(item.Key) != string(first.Key) {
			t.Errorf("%s has another certificate", n.name)
		}
		eventually(t, "no answer is left", func() bool { return n.workers.answers() == 0 })
	}
	leader, others := leads(t, nodes...)
	if len(r.issued) != 1 || r.issued[0] != leader.name {
		t.Errorf("issued to %q", r.issued)
	}

	// The CA reaches one only that does not lead.
	r.reach(others[0])
	want := []acme.Wanted{r.site("site"), r.site("second")}
	before := r.challenges()
	for _, n := range nodes {
		n.manager.Update(want)
	}
	for _, n := range nodes {
		n.has("second", acme.Item{})
	}
	if r.issues() != 2 || r.challenges() == before || len(r.failed) > 0 {
		t.Errorf("issued to %q, failed %q", r.issued, r.failed)
	}

	// What is in etcd is of no use to who has not the secret.
	text := r.dump()
	if !strings.Contains(text, "/pingap-state/acme/files/certificates/") || !strings.Contains(text, "/pingap-state/acme/files/accounts/") {
		t.Errorf("nothing there: %.300q", text)
	}
	for _, bad := range []string{"PRIVATE", "BEGIN", "example.com", secret, "MIG", "key_auth", "KeyAuth"} {
		if strings.Contains(text, bad) {
			t.Errorf("etcd holds %q in clear", bad)
		}
	}

	// One that comes later has them before it runs.
	late := r.node("late")
	late.run(want...)
	if n := len(late.manager.Items()); n != 2 {
		t.Errorf("a node that joins has %d certificates", n)
	}
	late.has("second", acme.Item{})
	if r.issues() != 2 {
		t.Errorf("issued to %q", r.issued)
	}
	// And without etcd as well.
	eventually(t, "it keeps its copies", func() bool {
		kept, _ := filepath.Glob(filepath.Join(late.dir, "certificates", "*.json"))
		return len(kept) == 2
	})
	late.stop()
	r.etcd.Kill()
	late.run(want...)
	if n := len(late.manager.Items()); n != 2 {
		t.Errorf("a node without etcd has %d certificates", n)
	}
	late.has("site", acme.Item{})
}

func TestAnotherNodeFinishesWhatItsHolderCannot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nodes := three(r, r.site("first"))
	for _, n := range nodes {
		n.has("first", acme.Item{})
	}
	leader, others := leads(t, nodes...)
	r.reach(others...)
	release := r.hold()
	defer release()
	before := r.challenges()
	for _, n := range nodes {
		n.manager.Update([]acme.Wanted{r.site("first"), r.site("second")})
	}
	eventually(t, "the CA asks", func() bool { return r.challenges() > before })
	leader.stop()
	release()
	for _, n := range others {
		n.has("second", acme.Item{})
	}
	next, rest := leads(t, others...)
	if r.issues() != 2 || r.issued[1] != next.name || len(r.failed) > 0 {
		t.Errorf("issued to %q, failed %q", r.issued, r.failed)
	}

	// Renewals are its work too.
	old, _ := next.workers.get(acme.Certificate, "first")
	r.late.Store(int64(70 * 24 * time.Hour))
	for _, n := range others {
		n.manager.Update([]acme.Wanted{r.site("first")})
	}
	renewed := serial(t, next.has("first", old))
	if again := serial(t, rest[0].has("first", old)); again != renewed || r.issues() != 3 || r.issued[2] != next.name {
		t.Errorf("%s and %s, issued to %q", renewed, again, r.issued)
	}
}

func TestNobodyIsIssuedAnythingWithoutEtcd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nodes := three(r, r.site("first"))
	for _, n := range nodes {
		n.has("first", acme.Item{})
	}
	leads(t, nodes...)
	release := r.hold()
	defer release()
	before := r.challenges()
	want := []acme.Wanted{r.site("first"), r.site("second")}
	for _, n := range nodes {
		n.manager.Update(want)
	}
	eventually(t, "the CA asks", func() bool { return r.challenges() > before })
	if err := r.etcd.Pause(); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		eventually(t, n.name+" notices", func() bool { return n.fleet.State().Err != nil })
		if n.fleet.State().Leading {
			t.Errorf("%s leads", n.name)
		}
		if _, ok := n.workers.get(acme.Certificate, "first"); !ok {
			t.Errorf("%s does not serve any more", n.name)
		}
	}
	release()
	for _, n := range nodes {
		n.manager.Update(append(want, r.site("third")))
	}
	time.Sleep(2 * time.Second) // something that must not happen
	if r.issues() != 1 {
		t.Errorf("issued to %q", r.issued)
	}
	if err := r.etcd.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.has("second", acme.Item{})
		n.has("third", acme.Item{})
	}
	if r.issues() != 3 || len(r.failed) > 0 {
		t.Errorf("issued to %q, failed %q", r.issued, r.failed)
	}
}

// One that was asleep while its lock ran out writes nothing any more.
func TestWhoLostTheLockIsFencedOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target, err := etcd.Parse("etcd://" + r.etcd.Address + "/pingap?acme_secret=" + strings.ReplaceAll(secret, " ", "+"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	n, err := New(Options{Target: target, Name: "old", Publisher: newWorkers()})
	if err != nil {
		t.Fatal(err)
	}
	client, err := etcd.Dial(ctx, n.target)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	lease, err := client.Grant(ctx, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	key := n.target.Prefix() + lockKey
	fence, mine, err := client.Acquire(ctx, key, []byte("{}"), lease)
	if err != nil || !mine {
		t.Fatal(mine, err)
	}
	if _, mine, err := client.Acquire(ctx, key, []byte("{}"), lease); err != nil || mine {
		t.Errorf("a second one has it: %v", err)
	}
	var ended error
	s := &session{node: n, client: client, end: func(err error) { ended = err }}
	old := &term{session: s, fence: fence}
	if err := old.Write(ctx, "state.json", []byte("1")); err != nil {
		t.Fatal(err)
	}
	next := r.node("next")
	r.reach(next)
	next.run(r.site("site"))
	leads(t, next)
	next.has("site", acme.Item{})
	if err := old.Write(ctx, "state.json", []byte("2")); !errors.Is(err, etcd.ErrFenced) || !errors.Is(ended, etcd.ErrFenced) {
		t.Errorf("%v, ended by %v", err, ended)
	}
	files, err := n.Read(ctx)
	if err != nil || string(files["state.json"]) == "2" {
		t.Errorf("%q, %v", files["state.json"], err)
	}
}

func TestThePausesAfterFailuresAreThoseOfAllNodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	empty := r.node("empty") // it does not run: it has no answer
	r.reach(empty)
	a, b := r.node("a"), r.node("b")
	a.run(r.site("site"))
	eventually(t, "it fails", func() bool {
		l := a.manager.List()
		return len(l) == 1 && l[0].LastError != "" && !l[0].NextAttempt.IsZero()
	})
	b.run(r.site("site"))
	eventually(t, "the other knows", func() bool { return b.manager.List()[0].LastError != "" })
	next := a.manager.List()[0].NextAttempt
	a.stop()
	leads(t, b)
	time.Sleep(time.Second) // something that must not happen
	l := b.manager.List()[0]
	if len(r.failed) != 1 || !l.NextAttempt.Equal(next) {
		t.Errorf("%q, %+v, before at %v", r.failed, l, next)
	}
	account, err := filepath.Glob(filepath.Join(a.dir, "accounts", "*.json"))
	if err != nil || len(account) != 1 {
		t.Fatal(account, err)
	}
	ours, _ := os.ReadFile(account[0])
	var theirs []byte
	eventually(t, "the account is the same", func() bool {
		theirs, _ = os.ReadFile(filepath.Join(b.dir, "accounts", filepath.Base(account[0])))
		return len(theirs) > 0
	})
	var x, y struct{ Key string }
	if json.Unmarshal(ours, &x) != nil || json.Unmarshal(theirs, &y) != nil || x.Key != y.Key || x.Key == "" {
		t.Error("they have accounts of their own")
	}
}

func TestANodeBringsWhatItHadOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.node("a")
	r.reach(a)
	a.run(r.site("site"))
	first := a.has("site", acme.Item{})
	leads(t, a)
	a.stop()
	if _, err := r.etcd.Ctl("del", "--prefix", "/pingap-state/"); err != nil {
		t.Fatal(err)
	}
	a.run(r.site("site"))
	leads(t, a)
	b := r.node("b")
	b.run(r.site("site"))
	if item := b.has("site", acme.Item{}); serial(t, item) != serial(t, first) || r.issues() != 1 {
		t.Errorf("issued to %q", r.issued)
	}
}

func TestANodeWithAnotherSecretTakesNoPart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.node("a")
	r.reach(a)
	a.run(r.site("site"))
	a.has("site", acme.Item{})
	leads(t, a)
	other := r.node("other")
	other.secret = strings.ToUpper(secret)
	other.run(r.site("site"))
	eventually(t, "it says why", func() bool {
		err := other.fleet.State().Err
		return err != nil && strings.Contains(err.Error(), "another acme_secret") && !strings.Contains(err.Error(), other.secret)
	})
	a.stop() // the lock is free now
	time.Sleep(2 * time.Second)
	if _, ok := other.workers.get(acme.Certificate, "site"); ok || other.fleet.State().Leading || r.issues() != 1 {
		t.Errorf("issued to %q", r.issued)
	}
}

func TestAnAnswerThatWorkersDoNotTakeAtOnceIsToldAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.node("a"), r.node("b")
	r.reach(a)
	a.run(r.site("first"))
	a.has("first", acme.Item{})
	b.run(r.site("first"))
	b.has("first", acme.Item{})
	leads(t, a, b)
	r.reach(b)
	b.workers.mu.Lock()
	b.workers.refuse = 2
	b.workers.mu.Unlock()
	want := []acme.Wanted{r.site("first"), r.site("second")}
	a.manager.Update(want)
	a.has("second", acme.Item{})
	if len(r.failed) > 0 {
		t.Errorf("the CA was told too early: %q", r.failed)
	}
	b.manager.Update(want) // it heard of the certificate before it wanted it
	b.has("second", acme.Item{})
}
