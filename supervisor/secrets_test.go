package supervisor

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/systemd"
)

// each asks until all workers in pids have answered.
func (i *instance) each(pids []int) map[int]answer {
	i.t.Helper()
	all := map[int]answer{}
	for end := time.Now().Add(patience); len(all) < len(pids); {
		a := i.ask()
		if slices.Contains(pids, a.PID) {
			all[a.PID] = a
		}
		if time.Now().After(end) {
			i.t.Fatalf("only %v of %v answer", slices.Collect(maps.Keys(all)), pids)
		}
	}
	return all
}

// keys returns the digests of the ticket keys, which all active workers must hold alike.
func (i *instance) keys() []string {
	i.t.Helper()
	var keys []string
	for pid, a := range i.each(pids(i.status())) {
		if len(a.Keys) < 2 || keys != nil && !slices.Equal(keys, a.Keys) {
			i.t.Fatalf("worker %d holds %v, another %v", pid, a.Keys, keys)
		}
		keys = a.Keys
	}
	return keys
}

// publish sends items as control does, and returns the answer.
func (i *instance) publish(all bool, items ...ipc.StateItem) ipc.Body {
	i.t.Helper()
	i.send(ipc.State{Items: items, All: all})
	m := i.receive(ipc.TypeStateTaken, ipc.TypeRefused)
	m.Close()
	return m.Body
}

func (i *instance) mustPublish(workers int, all bool, items ...ipc.StateItem) {
	i.t.Helper()
	if got, ok := i.publish(all, items...).(*ipc.StateTaken); !ok || got.Workers != workers || len(got.Missing) > 0 {
		i.t.Fatalf("got %+v, want %d workers", got, workers)
	}
}

// wantItems checks what all active workers know, as "kind key=body ...".
func (i *instance) wantItems(want string) {
	i.t.Helper()
	for pid, a := range i.each(pids(i.status())) {
		var have []string
		for k, body := range a.Items {
			have = append(have, k+"="+body)
		}
		slices.Sort(have)
		if got := strings.Join(have, " "); got != want {
			i.t.Errorf("worker %d knows %q, want %q", pid, got, want)
		}
	}
}

func token(key, body string) ipc.StateItem {
	return ipc.StateItem{Kind: ipc.StateToken, Key: key, Body: ipc.Secret(body)}
}

func TestAllWorkersHoldTheSameTicketKeysForEver(t *testing.T) {
	i := boot(t, nil)
	first := i.keys()
	before := pids(i.status())
	unix.Kill(before[0], unix.SIGKILL)
	i.until("a successor of a worker", twoActive(before[0]))
	if got := i.keys(); !slices.Equal(got, first) {
		t.Errorf("after the end of a worker: %v, before %v", got, first)
	}
	p := i.proposal("one", "two")
	p.Class = ipc.ClassRoll
	i.mustApply(p)
	i.until("fresh workers alone", allOf(2))
	if got := i.keys(); !slices.Equal(got, first) {
		t.Errorf("after a roll: %v, before %v", got, first)
	}
}

func TestTicketKeysRotateEverywhereAndTheNextIsKnownBefore(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.TicketKey = 200 * time.Millisecond })
	seen := map[string]string{} // by the key that encrypts, the one announced to follow
	for end := time.Now().Add(patience); len(seen) < 4; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the keys do not rotate: %v", seen)
		}
		a := i.ask()
		seen[a.Keys[0]] = a.Keys[1]
		if len(a.Keys) > ipc.MaxTicketKeys {
			t.Fatalf("%d keys", len(a.Keys))
		}
	}
	followed := 0
	for _, next := range seen {
		if _, ok := seen[next]; ok {
			followed++
		}
	}
	if followed < 3 {
		t.Errorf("keys came that had not been announced: %v", seen)
	}
}

func TestTicketKeysAndItemsOutliveTheSupervisor(t *testing.T) {
	t.Run("restart", func(t *testing.T) {
		i, m, o := kept(t, nil)
		i.mustPublish(2, false, token("a", "1"))
		first := i.keys()
		stored(t, m, "k-2")
		i.leave()
		o.Stored = m.stored()
		n := i.successor(o)
		n.takeControl()
		n.wantSame(first, "token a=1")
	})
	t.Run("restart before the items were stored", func(t *testing.T) {
		i, m, o := kept(t, func(o *Options) { o.Timings.SaveState = time.Hour })
		i.mustPublish(2, false, token("a", "1"))
		first := i.keys()
		i.leave()
		o.Stored = m.stored()
		n := i.successor(o)
		n.takeControl()
		if got := n.keys(); !slices.Equal(got, first) {
			t.Errorf("%v, before %v", got, first)
		}
		n.mustPublish(2, true, token("b", "2")) // control tells again
		n.wantSame(first, "token b=2")
	})
	t.Run("what an operator wants is stored before it is confirmed", func(t *testing.T) {
		i, m, _ := kept(t, func(o *Options) { o.Timings.SaveState = time.Hour })
		drained := token("a", "1")
		drained.Private = true
		i.mustPublish(0, false, drained)
		stored(t, m, "k-2")
	})
	t.Run("restart without a store", func(t *testing.T) { // orphans show the keys, control tells its items again
		var o Options
		i := boot(t, func(used *Options) {
			used.Build = "one"
			if err := os.WriteFile(filepath.Join(filepath.Dir(used.RunDir), "worker.rescue"), []byte("wait"), 0o644); err != nil {
				t.Fatal(err)
			}
			o = *used
		})
		i.mustPublish(2, false, token("a", "1"))
		first, before := i.keys(), pids(i.status())
		i.leave()
		n := i.successor(o)
		n.takeControl()
		n.until("the same workers", func(all *ipc.StatusAll) bool { return slices.Equal(pids(all), before) && all.Settled })
		n.wantItems("token a=1")
		n.mustPublish(2, true, token("b", "2"))
		n.wantSame(first, "token b=2")
	})
	t.Run("upgrade", func(t *testing.T) {
		f := &flip{}
		i, m, o := kept(t, func(o *Options) { o.Upgrader, o.Timings.SaveState = f, time.Hour })
		i.mustPublish(2, false, token("a", "1"))
		first := i.keys()
		o.Timings.SaveState = time.Millisecond
		n := i.upgraded(f, m, o)
		n.wantSame(first, "token a=1")
		stored(t, m, "k-2")
	})
}

// wantSame checks the workers that there are, and one that comes fresh.
func (i *instance) wantSame(keys []string, items string) {
	i.t.Helper()
	check := func() {
		i.t.Helper()
		if got := i.keys(); !slices.Equal(got, keys) {
			i.t.Errorf("%v, before %v", got, keys)
		}
		i.wantItems(items)
	}
	check()
	gone := pids(i.status())[0]
	unix.Kill(gone, unix.SIGKILL)
	i.until("a successor of a worker", twoActive(gone))
	check()
}

// stored waits until one memory file is kept by the manager, under this name.
func stored(t *testing.T, m *manager, name string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		var names []string
		for _, f := range m.stored() {
			unix.Close(f.FD)
			if strings.HasPrefix(f.Name, "k-") {
				names = append(names, f.Name)
			}
		}
		if slices.Equal(names, []string{name}) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v are kept, want %s", names, name)
		}
	}
}

func TestOfTwoMemoryFilesTheLastCounts(t *testing.T) {
	i, m, o := kept(t, nil)
	i.leave()
	stored(t, m, "k-1")
	stale, err := ipc.SealedMemfd("stale", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	o.Stored = append(m.stored(), systemd.FD{Name: "k-0", FD: stale})
	n := i.successor(o)
	n.takeControl()
	n.keys()
	stored(t, m, "k-2")
	if !m.heard("FDSTOREREMOVE=1\nFDNAME=k-0") {
		t.Error("the stale one was left in the store")
	}
}

func TestItemsComeAndGoInAllWorkers(t *testing.T) {
	i := boot(t, nil)
	i.mustPublish(2, false, token("a", "1"), token("b", "2"))
	i.wantItems("token a=1 token b=2")
	gone := token("a", "")
	gone.Gone = true
	i.mustPublish(2, false, gone, ipc.StateItem{Kind: ipc.StateCertificate, Key: "x", Body: ipc.Secret(strings.Repeat("c", 100<<10))})
	i.wantItems("certificate x=" + strings.Repeat("c", 100<<10) + " token b=2")
	i.mustPublish(2, true, token("c", "3"))
	i.wantItems("token c=3")
	before := pids(i.status())
	unix.Kill(before[1], unix.SIGKILL)
	i.until("a successor of a worker", twoActive(before[1]))
	i.wantItems("token c=3")
	i.mustApply(i.proposal("one", "two")) // no configuration touches them
	i.wantItems("token c=3")
}

func TestAnItemIsNotConfirmedBeforeAllWorkersHaveIt(t *testing.T) {
	i := boot(t, func(o *Options) { o.Timings.State = 300 * time.Millisecond })
	i.behave("worker1.state", "ignore")
	got, ok := i.publish(false, token("a", "1")).(*ipc.StateTaken)
	if !ok || got.Workers != 1 || len(got.Missing) != 1 || !strings.Contains(got.Missing[0], "worker 1") {
		t.Errorf("got %+v", got)
	}
	i.behave("worker1.state", "die") // its successor is told everything before it accepts
	i.mustPublish(1, false, token("b", "2"))
	i.behave("worker1.state", "")
	i.until("two workers", twoActive())
	i.wantItems("token a=1 token b=2")
}

func TestItemsHaveBounds(t *testing.T) {
	i := boot(t, nil)
	i.mustPublish(2, false, token("a", "1"))
	many := make([]ipc.StateItem, ipc.MaxStateItems+1)
	for n := range many {
		many[n] = token(strconv.Itoa(n), "")
	}
	for name, items := range map[string][]ipc.StateItem{
		"many":     many,
		"long key": {token(strings.Repeat("k", ipc.MaxStateKey+1), "")},
		"long":     {token("b", strings.Repeat("b", ipc.MaxStateBody+1))},
		"no kind":  {{Key: "k"}},
		"no key":   {{Kind: "k"}},
	} {
		if r, ok := i.publish(false, items...).(*ipc.Refused); !ok || r.Code != ipc.CodeResources {
			t.Errorf("%s: not refused", name)
		}
	}
	i.wantItems("token a=1")
}

func TestEachPartOfControlReplacesWhatIsItsOwn(t *testing.T) {
	i := boot(t, nil)
	backends := ipc.StateItem{Kind: ipc.StateEndpoints, Key: "u@1", Body: ipc.Secret("b")}
	i.mustPublish(2, false, token("a", "1"), backends)
	i.send(ipc.State{Items: []ipc.StateItem{token("c", "3")}, All: true, Kinds: []string{ipc.StateToken, ipc.StateCertificate}})
	i.receive(ipc.TypeStateTaken).Close()
	i.wantItems("endpoints u@1=b token c=3")
	gone := pids(i.status())[0]
	unix.Kill(gone, unix.SIGKILL)
	i.until("a successor of a worker", twoActive(gone))
	i.wantItems("endpoints u@1=b token c=3")
}

func TestControlIsToldItsItemsAgainAndWorkersNoPrivateOnes(t *testing.T) {
	i, m, o := kept(t, nil)
	wish := ipc.StateItem{Kind: ipc.StateWishes, Key: "u", Body: ipc.Secret("w"), Private: true}
	i.mustPublish(2, false, token("a", "1"), ipc.StateItem{Kind: ipc.StateEndpoints, Key: "u@1", Body: ipc.Secret("b")})
	i.mustPublish(0, false, wish)
	check := func(i *instance) {
		t.Helper()
		i.wantKept(map[string]string{ipc.StateWishes: "u=w", ipc.StateEndpoints: "u@1=b", "nothing": ""})
		i.wantItems("endpoints u@1=b token a=1")
	}
	check(i)
	i.life.Close() // control dies
	i.takeControl()
	check(i)
	stored(t, m, "k-2")
	i.leave()
	o.Stored = m.stored()
	n := i.successor(o)
	n.takeControl()
	check(n)
}
