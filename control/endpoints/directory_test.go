package endpoints

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/control/discovery"
	"pingap/ipc"
)

const (
	one = "127.0.0.1:1"
	two = "127.0.0.2:1"
)

func TestListsAreToldBeforeTheProposalAndOldOnesWithdrawnAfterIt(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1', '127.0.0.2:1 5 backup']", "t: addrs = ['127.0.0.1:1']; discovery = 'transparent'")
	first := r.want("u", "127.0.0.1:1 127.0.0.2:1/backup/5")
	if len(r.lists("t")) != 0 {
		t.Error("a list of an upstream that has none")
	}
	if err := r.d.Stage(context.Background(), r.snapshot("u: addrs = ['127.0.0.1:1', '127.0.0.3:1']")); err != nil {
		t.Fatal(err)
	}
	if all := r.lists("u"); len(all) != 2 {
		t.Fatalf("%d lists while it is proposed", len(all))
	}
	r.d.Applied()
	second := r.want("u", "127.0.0.1:1 127.0.0.3:1")
	if first.Source == second.Source || first.Record != second.Record || first.List[0].Record != second.List[0].Record {
		t.Errorf("what stayed has another record: %+v, before %+v", second, first)
	}
	if second.List[0].Record.ID == 0 || r.arena.Record(second.List[0].Record.Row, second.List[0].Record.ID) == nil || second.List[1].Record == first.List[1].Record {
		t.Errorf("records %+v", second.List)
	}
	r.apply("v: addrs = ['127.0.0.1:1']")
	if len(r.lists("u")) != 0 || len(r.lists("v")) != 1 {
		t.Error("an upstream that has gone is known still")
	}
}

func TestWhatIsRefusedIsWithdrawn(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']")
	if err := r.d.Stage(context.Background(), r.snapshot("u: addrs = ['127.0.0.2:1']", "v: addrs = ['127.0.0.3:1']")); err != nil {
		t.Fatal(err)
	}
	if len(r.lists("u")) != 2 || len(r.lists("v")) != 1 {
		t.Error("not told before the proposal")
	}
	r.d.Refused()
	r.want("u", one)
	if len(r.lists("v")) != 0 {
		t.Error("the refused one is known still")
	}
	r.d.Applied() // of nothing
	r.want("u", one)
}

func TestAnApplyOfTheSameUpstreamsTellsNothingAndSearchesNothing(t *testing.T) {
	r := newRig(t)
	u := "u: addrs = ['127.0.0.1:1']"
	r.apply(u)
	tells, searches := r.tells, r.searchs["u"]
	r.apply(u)
	r.apply(u + "; algo = 'random2'")
	r.want("u", one)
	if r.tells != tells || r.searchs["u"] != searches {
		t.Errorf("told %d times, %d searches; before %d and %d", r.tells, r.searchs["u"], tells, searches)
	}
	r.apply(u + "; update_frequency = '7s'")
	r.until("a new search", func() bool { return r.searchs["u"] == searches+1 })
}

func TestAProposalDoesNotWaitForever(t *testing.T) {
	for name, c := range map[string]func(*rig){
		"nothing is found":     func(r *rig) { r.manual = true },
		"checks do not answer": func(r *rig) { r.silent = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c(r)
			begun := time.Now()
			if err := r.d.Stage(context.Background(), r.snapshot("u: addrs = ['127.0.0.1:1']", "v: addrs = ['127.0.0.1:1']")); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took < StageTime || took > StageTime+10*time.Second {
				t.Errorf("took %v", took)
			}
			if len(r.lists("u")) != 1 || len(r.lists("v")) != 1 {
				t.Error("not told")
			}
		})
	}
}

func TestHealthBeforeTheFirstResultIsByChoice(t *testing.T) {
	for initial, want := range map[string]string{"healthy": one, "first_result": one + "/unchecked", "first_success": one + "/unchecked"} {
		r := newRig(t)
		r.silent = true
		r.apply("u: addrs = ['127.0.0.1:1']; health_initial = '" + initial + "'")
		r.want("u", want)
		r.check("u", one, true)
		if e := r.want("u", one); !e.List[0].Since.IsZero() {
			t.Errorf("%s: who was there from the beginning starts slowly", initial)
		}
		r.check("u", one, false)
		e := r.want("u", one+"/unhealthy")
		if e.List[0].Reason != "refused" || e.List[0].Checked.IsZero() {
			t.Errorf("%+v", e.List[0])
		}
		r.pass(time.Hour)
		r.check("u", one, true)
		if e := r.want("u", one); !e.List[0].Since.Equal(r.clock()) {
			t.Errorf("who became healthy does not start slowly: %v", e.List[0].Since)
		}
	}
}

func TestWhoComesLaterStartsSlowly(t *testing.T) {
	r := newRig(t)
	r.manual = true
	go r.find("u", one)
	r.apply("u: addrs = ['127.0.0.1:1', 'some.test:1']")
	r.pass(time.Hour)
	r.find("u", one+" "+two)
	e := r.want("u", one+" "+two)
	if !e.List[0].Since.IsZero() || !e.List[1].Since.Equal(r.clock()) {
		t.Errorf("since %v and %v", e.List[0].Since, e.List[1].Since)
	}
	r.find("u", one)
	r.want("u", one)
	r.pass(time.Second)
	r.find("u", one+" "+two)
	again := r.want("u", one+" "+two)
	if again.List[1].Record != e.List[1].Record || again.List[1].Since.Equal(e.List[1].Since) {
		t.Errorf("back after a second: %+v, before %+v", again.List[1], e.List[1])
	}
}

func TestHealthIsKeptWhereAnAddressStays(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1', '127.0.0.2:1']")
	r.check("u", two, false)
	r.want("u", one+" "+two+"/unhealthy")
	r.apply("u: addrs = ['127.0.0.2:1 9', '127.0.0.3:1']; health_check = 'http://x/y'; health_initial = 'first_success'")
	r.want("u", two+"/unhealthy/9 127.0.0.3:1")
	if n := len(r.targets["u"]); n != 2 {
		t.Errorf("%d are checked", n)
	}
	r.check("u", one, true) // it has left: nobody waits for that
	r.want("u", two+"/unhealthy/9 127.0.0.3:1")
}

func TestARecordIsFreeAMinuteAfterItsBackendLeft(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1', '127.0.0.2:1']")
	gone := r.list("u").List[1].Record
	r.apply("u: addrs = ['127.0.0.1:1']")
	r.pass(linger - time.Second)
	if r.arena.Record(gone.Row, gone.ID) == nil {
		t.Error("free too early")
	}
	r.pass(2 * time.Second)
	if r.arena.Record(gone.Row, gone.ID) != nil {
		t.Error("it is never freed")
	}
	r.apply()
	r.pass(2 * linger)
	for range r.arena.IDs() {
		t.Error("a record is left of nothing")
	}
	if len(r.d.pools) != 0 {
		t.Errorf("%d pools are left", len(r.d.pools))
	}
}

func TestAPartialAnswerAfterARestartTakesNothingAway(t *testing.T) {
	r := newRig(t)
	config := "u: addrs = ['some.test:1', 'other.test:1']"
	r.manual = true
	go r.find("u", one+" "+two)
	r.apply(config)
	r.check("u", two, false)
	before := r.want("u", one+" "+two+"/unhealthy")
	tells := r.tells
	r.reports = map[string]func(discovery.Update){}
	r.silent = true
	r.restart(nil)
	if err := r.d.Adopt(r.snapshot(config)); err != nil {
		t.Fatal(err)
	}
	u := updateOf(&upstream{Addrs: []string{one}})
	u.Complete = false
	r.report("u", u)
	r.settle()
	if e := r.list("u"); describe(e) != describe(before) || e.List[1].Record != before.List[1].Record {
		t.Errorf("%q, before %q", describe(e), describe(before))
	}
	if r.tells != tells {
		t.Error("told what is known")
	}
	r.find("u", two)
	r.want("u", two+"/unhealthy")
}

type upstream = config.Upstream

func TestAListThatWasLostIsNotToldBeforeEachEntryWasTried(t *testing.T) {
	r := newRig(t)
	r.manual = true
	if err := r.d.Adopt(r.snapshot("u: addrs = ['127.0.0.1:1', 'some.test:1']")); err != nil {
		t.Fatal(err)
	}
	u := updateOf(&upstream{Addrs: []string{one}})
	u.Complete, u.Tried = false, false
	r.report("u", u)
	r.settle()
	if len(r.lists("u")) != 0 {
		t.Error("told half a list to workers that know all of it")
	}
	r.find("u", one+" "+two)
	r.want("u", one+" "+two)
}

func TestWishesSurviveAppliesRestartsAndAbsence(t *testing.T) {
	r := newRig(t)
	both := "u: addrs = ['127.0.0.1:1', '127.0.0.2:1']"
	r.apply(both)
	if c := r.admin("u", one, ipc.AdminDrain); c.Before != ipc.AdminUp || c.Absent {
		t.Errorf("%+v", c)
	}
	r.want("u", one+"/drain "+two)
	r.apply(both + "; algo = 'random2'")
	r.want("u", one+"/drain "+two)
	r.restart(nil)
	if err := r.d.Adopt(r.snapshot(both)); err != nil {
		t.Fatal(err)
	}
	r.want("u", one+"/drain "+two)
	if l, err := r.d.List("u"); err != nil || l.Upstreams[0].Backends[0].By != "uid 7" || l.Upstreams[0].Backends[0].Admin != "drain" {
		t.Errorf("%+v, %v", l, err)
	}
	r.apply("u: addrs = ['127.0.0.2:1']")
	r.pass(wishTime - time.Hour)
	r.restart(nil)
	if err := r.d.Adopt(r.snapshot("u: addrs = ['127.0.0.2:1']")); err != nil {
		t.Fatal(err)
	}
	r.apply(both)
	r.want("u", one+"/drain "+two)
	r.apply("u: addrs = ['127.0.0.2:1']")
	if c := r.admin("u", one, ipc.AdminDown); !c.Absent || c.Before != ipc.AdminDrain {
		t.Errorf("of one that is away: %+v", c)
	}
	r.pass(wishTime)
	r.apply(both)
	r.want("u", one+" "+two)
	if _, kept := r.items[ipc.StateWishes+" u"]; kept {
		t.Error("what nobody wants any more is kept")
	}
}

func TestWishesAreKnownByTheListsWhereTheirOwnItemIsLost(t *testing.T) {
	r := newRig(t)
	both := "u: addrs = ['127.0.0.1:1', '127.0.0.2:1']"
	r.apply(both)
	r.admin("u", one, ipc.AdminDrain)
	r.admin("u", two, ipc.AdminDown)
	r.settle()
	delete(r.items, ipc.StateWishes+" u") // workers never had it
	r.restart(nil)
	if err := r.d.Adopt(r.snapshot(both)); err != nil {
		t.Fatal(err)
	}
	r.want("u", one+"/drain "+two+"/down")
	r.apply("u: addrs = ['127.0.0.2:1']")
	r.restart(nil)
	r.apply(both)
	r.want("u", one+"/drain "+two+"/down")
	if _, kept := r.items[ipc.StateWishes+" u"]; !kept {
		t.Error("the item of wishes is not made anew")
	}
}

func TestWhatAWorkerHasMadeUpOfABackendIsNotTold(t *testing.T) {
	r := newRig(t)
	u := "u: addrs = ['127.0.0.1:1', '127.0.0.2:1']"
	r.apply(u)
	r.mu.Lock()
	for key, i := range r.items {
		body := strings.Replace(string(i.Body), `"weight":1`, `"weight":1,"admin":"x","health":"x","reason":"`+strings.Repeat("x", 999)+`"`, 1)
		i.Body = ipc.Secret(body)
		r.items[key] = i
	}
	r.silent = true
	r.mu.Unlock()
	r.restart(nil)
	if err := r.d.Adopt(r.snapshot(u)); err != nil {
		t.Fatal(err)
	}
	r.admin("u", two, ipc.AdminDrain)
	if e := r.want("u", one+" "+two+"/drain"); len(e.List[0].Reason) > ipc.MaxEndpointReason {
		t.Errorf("a reason of %d bytes", len(e.List[0].Reason))
	}
}

func TestUpForgetsAWishAndStartsSlowly(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1', 'unix:/run/a.sock']")
	r.admin("u", "/run/a.sock", ipc.AdminDown)
	r.want("u", one+" /run/a.sock/down")
	r.pass(time.Minute)
	r.admin("u", "unix:/run/a.sock", ipc.AdminUp)
	if e := r.want("u", one+" /run/a.sock"); !e.List[1].Since.Equal(r.clock()) || e.List[1].Network != "unix" {
		t.Errorf("%+v", e.List[1])
	}
	if _, kept := r.items[ipc.StateWishes+" u"]; kept {
		t.Error("a wish is kept of nothing")
	}
	tells := r.tells
	r.admin("u", one, ipc.AdminUp)
	r.settle()
	if r.tells != tells {
		t.Error("told what was so before")
	}
}

func TestWishesForWhatIsNotThereNameWhatIs(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']", "v: addrs = ['127.0.0.2:1']")
	for _, c := range []struct{ upstream, address, want string }{
		{"w", one, `there is no upstream "w"; there are: u, v`},
		{"u", two, `upstream u has no backend "127.0.0.2:1"; it has: 127.0.0.1:1`},
		{"u", strings.Repeat("x", 10_000), "upstream u has no backend"},
	} {
		_, err := r.d.SetAdmin(c.upstream, c.address, ipc.AdminDrain, "uid 7")
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
			t.Errorf("%s %.20s: %v", c.upstream, c.address, err)
		}
	}
	if _, err := r.d.List("w"); err == nil || !strings.Contains(err.Error(), "there are: u, v") {
		t.Errorf("%v", err)
	}
}

func TestWhatCouldNotBeToldIsToldAgainAsItIsThen(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']")
	r.mu.Lock()
	r.busy = errAway
	r.mu.Unlock()
	r.check("u", one, false)
	r.until("an attempt", func() bool { return r.tells > 1 })
	r.check("u", one, true)
	r.pass(time.Minute)
	r.check("u", one, false)
	r.mu.Lock()
	r.busy, r.log = nil, nil
	r.mu.Unlock()
	r.want("u", one+"/unhealthy")
	if len(r.log) != 1 {
		t.Errorf("told %q", r.log)
	}
	if n := r.logs.FilterMessageSnippet("were not told").Len(); n != 1 {
		t.Errorf("%d lines about one trouble", n)
	}
}

func TestAFloodOfChangesIsToldAsItIsThen(t *testing.T) {
	r := newRig(t)
	const upstreams, changes = 100, 5000
	var all []string
	for n := range upstreams {
		all = append(all, fmt.Sprintf("u%d: addrs = ['127.0.0.1:1']", n))
	}
	r.apply(all...)
	r.mu.Lock()
	stop := make(chan struct{})
	r.stop, r.log, r.tells = stop, nil, 0
	r.mu.Unlock()
	for n := range changes {
		r.check(fmt.Sprintf("u%d", n%upstreams), one, n/upstreams%2 == 1)
	}
	r.d.mu.Lock()
	waiting := len(r.d.dirty)
	r.d.mu.Unlock()
	if waiting > upstreams {
		t.Errorf("%d items wait", waiting)
	}
	r.mu.Lock()
	r.stop = nil
	r.mu.Unlock()
	close(stop)
	for n := range upstreams {
		r.want(fmt.Sprintf("u%d", n), one)
	}
	if len(r.log) > 2*upstreams || r.tells > 2 {
		t.Errorf("%d items in %d messages", len(r.log), r.tells)
	}
}

func TestRubbishFromBeforeIsNotTaken(t *testing.T) {
	r := newRig(t)
	for key, body := range map[string]string{"a@1": "{", "b@1": `{"upstream":"c","source":"1"}`, "@": `{}`, "n": "null",
		"u@1": `{"upstream":"u","source":"1","record":{"row":5,"id":9},"list":[{"address":"127.0.0.1:1","record":{"row":5,"id":9}},
			{"address":"x","weight":-1,"record":{"row":-1,"id":3}},{"address":"127.0.0.1:1","record":{"row":70000,"id":3}}]}`} {
		r.items[ipc.StateEndpoints+" "+key] = ipc.StateItem{Kind: ipc.StateEndpoints, Key: key, Body: ipc.Secret(body)}
	}
	r.restart(nil)
	r.apply("u: addrs = ['127.0.0.1:1']")
	e := r.want("u", one)
	if e.Record == e.List[0].Record || e.Record.ID == 0 || e.List[0].Record.ID == 0 {
		t.Errorf("records %+v and %+v", e.Record, e.List[0].Record)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.items) != 1 {
		t.Errorf("%d items are left", len(r.items))
	}
}

func TestTheArenaGrowsBeforeItIsFull(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']")
	if r.grown != 0 {
		t.Fatal("it grew for nothing")
	}
	total := r.arena.Records()
	var addrs []string
	for n := range min(total*9/10, ipc.MaxEndpoints) {
		addrs = append(addrs, fmt.Sprintf("'127.0.%d.%d:1'", n/250, n%250+1))
	}
	for n := 0; n*len(addrs) < total*15/16; n++ {
		r.d.Refused()
		if err := r.d.Stage(context.Background(), r.snapshot(many(n+1, addrs)...)); err != nil {
			t.Fatal(err)
		}
		r.d.Applied()
	}
	r.until("more records", func() bool { return r.grown >= total })
}

// many are n upstreams with these addresses.
func many(n int, addrs []string) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("u%d: addrs = [%s]", i, strings.Join(addrs, ",")))
	}
	return all
}

func TestNotesCountWhatIsOutOfService(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']", "v: addrs = ['127.0.0.1:1', '127.0.0.2:1']")
	if n := r.d.Notes(); len(n) != 0 {
		t.Errorf("%q", n)
	}
	r.check("u", one, false)
	r.admin("v", two, ipc.AdminDrain)
	want := []string{"1 upstream has no healthy backend: u", "1 backend is out of service: v 127.0.0.2:1 (drain)"}
	if n := r.d.Notes(); !slices.Equal(n, want) {
		t.Errorf("%q", n)
	}
}

func TestTheListIsAlsoJSON(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']")
	l, err := r.d.List("")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(l)
	if err != nil || !strings.Contains(string(data), `"in_flight":0`) || !strings.Contains(string(data), `"health":"healthy"`) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestEachChangeOfAListIsOneLineOfTheLog(t *testing.T) {
	r := newRig(t)
	r.apply("u: addrs = ['127.0.0.1:1']")
	if n := r.logs.FilterMessage("backends").FilterLevelExact(zap.InfoLevel).Len(); n != 0 {
		t.Errorf("%d lines about a first list", n)
	}
	r.manual = true
	r.apply("u: addrs = ['127.0.0.1:1', '127.0.0.2:1']; update_frequency = '9s'")
	r.find("u", one)
	r.find("u", one+" "+two)
	r.find("u", two)
	r.admin("u", two, ipc.AdminDrain)
	var got []string
	for _, e := range r.logs.FilterLevelExact(zap.InfoLevel).All() {
		f := e.ContextMap()
		got = append(got, fmt.Sprint(e.Message, " ", f["came"], f["left"], f["address"], f["admin"], f["by"]))
	}
	want := []string{"backends [127.0.0.2:1] <nil> <nil> <nil> <nil>", "backends <nil> [127.0.0.1:1] <nil> <nil> <nil>",
		"backend <nil> <nil>127.0.0.2:1drainuid 7"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
