package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
	"pingap/supervisor/inherit"
	"pingap/supervisor/systemd"
)

// mapArena takes what control is given.
func (i *instance) mapArena(m *ipc.Message) {
	i.t.Helper()
	if i.arena != nil {
		i.arena.Close()
	}
	fd, err := m.Take(i.start.Arena)
	if err == nil {
		i.arena, err = arena.Open(fd)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	a := i.arena
	i.t.Cleanup(func() { // that of a control before was closed by the next
		if a == i.arena {
			a.Close()
		}
	})
	for _, slot := range i.start.Parts {
		i.addPart(m, slot)
	}
}

func (i *instance) addPart(m *ipc.Message, slot ipc.Slot) {
	i.t.Helper()
	fd, err := m.Take(slot)
	if err == nil {
		err = i.arena.AddPart(fd)
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

// grow has the arena grow as control does.
func (i *instance) grow(parts int) {
	i.t.Helper()
	i.send(ipc.ArenaGrow{Records: 1})
	m := i.receive(ipc.TypeArenaGrown, ipc.TypeRefused)
	m.Close()
	if got, ok := m.Body.(*ipc.ArenaGrown); !ok || got.Parts != parts || got.Records != i.arena.Records() || len(i.arena.Parts()) != parts {
		i.t.Fatalf("got %+v; control has %d parts, %d records", m.Body, len(i.arena.Parts()), i.arena.Records())
	}
}

// hold has all workers hold one of the last record each.
func (i *instance) hold(word uint64) {
	i.t.Helper()
	row := i.arena.Records()
	if err := i.arena.Claim(row, recordID); err != nil {
		i.t.Fatal(err)
	}
	i.arena.Record(row, recordID).Word(0).Store(word)
	i.behave("worker.record", fmt.Sprint(row))
	i.each(pids(i.status()))
}

// wantHeld checks that each worker has all parts and holds one of the record, and that soon nobody else is counted: processes that have
// drained may not have been reaped yet.
func (i *instance) wantHeld(parts int, word uint64) {
	i.t.Helper()
	for end := time.Now().Add(patience); ; {
		wrong := ""
		workers := pids(i.status())
		for pid, a := range i.each(workers) {
			if a.Parts != parts || a.Record != int64(len(workers)) || a.Held != int64(len(workers)) || a.Word != word {
				wrong = fmt.Sprintf("worker %d has %d parts, want %d; %d are counted, %d held, by %d workers; word %d", pid, a.Parts, parts, a.Held,
					a.Record, len(workers), a.Word)
			}
		}
		if wrong == "" {
			break
		}
		if time.Now().After(end) {
			i.t.Fatal(wrong)
		}
	}
	if len(i.arena.Parts()) != parts {
		i.t.Errorf("control has %d parts", len(i.arena.Parts()))
	}
}

// survives checks that fresh workers have everything as well, and those that end nothing.
func (i *instance) survives(parts int, word uint64) {
	i.t.Helper()
	i.wantHeld(parts, word)
	gone := pids(i.status())[0]
	unix.Kill(gone, unix.SIGKILL)
	i.until("a successor of a worker", twoActive(gone))
	i.wantHeld(parts, word)
}

func TestTheArenaGrowsForControlAndEverybodyHasIt(t *testing.T) {
	i := boot(t, nil)
	for n := range 3 {
		i.grow(n + 1)
	}
	i.hold(42)
	i.survives(3, 42)
	unix.Kill(i.pid, unix.SIGKILL)
	i.takeControl()
	i.grow(4)
	i.survives(4, 42)
	p := i.proposal("one", "two")
	p.Class = ipc.ClassRoll
	i.mustApply(p)
	i.until("the others reaped", func(all *ipc.StatusAll) bool { return allOf(2)(all) && len(all.Processes) == 4 })
	i.wantHeld(4, 42)
}

func TestGrowthHasABound(t *testing.T) {
	i := boot(t, nil)
	for n := range arena.MaxParts {
		i.grow(n + 1)
	}
	i.send(ipc.ArenaGrow{Counters: -1, Records: 1 << 40})
	m := i.receive(ipc.TypeArenaGrown, ipc.TypeRefused)
	m.Close()
	if r, ok := m.Body.(*ipc.Refused); !ok || r.Code != ipc.CodeResources {
		t.Errorf("got %+v", m.Body)
	}
	p := i.proposal("one", "two")
	p.Settings.Counters, p.Settings.Totals = 1<<40, 1<<40
	i.mustApply(p) // whether a worker finds room is the worker's to say
	i.hold(1)
	i.survives(arena.MaxParts, 1)
}

func TestRoomForCountersAndTotalsIsMadeBeforeWorkersNeedIt(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	p := i.proposal("", "one")
	p.Settings.Counters = arena.DefaultRows // more than go in for certain
	i.mustApply(p)
	for pid, a := range i.each(pids(i.status())) {
		if a.Had != 1 {
			t.Errorf("worker %d was started with %d parts", pid, a.Had)
		}
	}
	before := pids(i.status())
	p = i.proposal("one", "two")
	p.Settings.Counters = 3 * arena.DefaultRows
	i.mustApply(p)
	for pid, a := range i.each(before) {
		if a.Had != 2 || a.SHA != "two" {
			t.Errorf("worker %d prepared %s with %d parts", pid, a.SHA, a.Had)
		}
	}
	p = i.proposal("two", "three")
	p.Settings.Counters = 3 * arena.DefaultRows
	i.mustApply(p)
	if a := i.ask(); a.Had != 2 || !slices.Equal(pids(i.status()), before) {
		t.Errorf("grown without need to %d parts; workers %v, before %v", a.Had, pids(i.status()), before)
	}
	p = i.proposal("three", "four")
	p.Settings.Totals = 5 * arena.DefaultTotals
	i.mustApply(p)
	if a := i.ask(); a.Had != 3 || i.arena.FreeTotals() < 5*arena.DefaultTotals {
		t.Errorf("%d parts with room for %d totals", a.Had, i.arena.FreeTotals())
	}
	p = i.proposal("four", "five")
	p.Settings.Counters, p.Settings.Totals = 3*arena.DefaultRows, 5*arena.DefaultTotals
	i.mustApply(p)
	if a := i.ask(); a.Had != 3 {
		t.Errorf("grown without need to %d parts", a.Had)
	}
}

func TestPartsAndWhatIsInThemGoToTheNextSupervisor(t *testing.T) {
	began := func(i *instance) {
		i.t.Helper()
		i.grow(1)
		i.grow(2)
		i.hold(43)
	}
	after := func(n *instance) {
		n.t.Helper()
		n.wantHeld(2, 43)
		n.grow(3)
		n.survives(3, 43)
		n.mustApply(n.proposal("one", "two"))
	}
	t.Run("restart", func(t *testing.T) {
		i, m, o := kept(t, nil)
		began(i)
		i.leave()
		o.Stored = m.stored()
		n := i.successor(o)
		n.takeControl()
		after(n)
		if got := named(m, inherit.NameArena); got != 4 {
			t.Errorf("the manager keeps %d parts", got)
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		f := &flip{}
		i, m, o := kept(t, func(o *Options) { o.Upgrader = f })
		began(i)
		after(i.upgraded(f, m, o))
	})
	t.Run("without a store", func(t *testing.T) { // orphans have them
		i, o := orphaned(t)
		began(i)
		i.leave()
		n := i.successor(o)
		n.takeControl()
		after(n)
	})
}

// orphaned boots an instance without a service manager, whose workers can be found.
func orphaned(t *testing.T) (*instance, Options) {
	t.Helper()
	var o Options
	i := boot(t, func(used *Options) {
		used.Build = "one"
		if err := os.WriteFile(filepath.Join(filepath.Dir(used.RunDir), "worker.rescue"), []byte("wait"), 0o644); err != nil {
			t.Fatal(err)
		}
		o = *used
	})
	return i, o
}

// named counts what the manager keeps whose name begins so.
func named(m *manager, prefix string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for name := range m.fds {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func TestSharesOfWorkersThatEndWithoutASupervisorAreTakenAway(t *testing.T) {
	check := func(t *testing.T, i *instance, o func() Options) {
		i.grow(1)
		i.hold(44)
		dies := pids(i.status())[0]
		i.leave()
		unix.Kill(dies, unix.SIGKILL)
		for end := time.Now().Add(patience); !hasEnded(dies); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("it does not end")
			}
		}
		n := i.successor(o())
		n.takeControl()
		n.until("two workers", twoActive(dies))
		n.survives(1, 44)
	}
	t.Run("with a store", func(t *testing.T) {
		i, m, o := kept(t, nil)
		check(t, i, func() Options { o.Stored = m.stored(); return o })
	})
	t.Run("without", func(t *testing.T) {
		i, o := orphaned(t)
		check(t, i, func() Options { return o })
	})
}

func TestAnArenaOfAnotherVersionIsReplacedInTheStoreAsWell(t *testing.T) {
	i, m, o := kept(t, nil)
	before := pids(i.status())
	i.grow(1)
	i.hold(44)
	i.wantHeld(1, 44) // both have mapped it
	i.leave()
	o.Stored = m.stored()
	for _, f := range o.Stored { // as if another build had made it
		if strings.HasPrefix(f.Name, inherit.NameArena) {
			if _, err := unix.Pwrite(f.FD, []byte{1}, 8); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := inodes(t, m)
	o.Build = "two"
	n := i.successor(o)
	n.takeControl()
	if !slices.Equal(pids(n.status()), before) {
		t.Errorf("workers %v, before %v", pids(n.status()), before)
	}
	n.mustApply(n.proposal("", "one"))
	n.until("the others reaped", func(all *ipc.StatusAll) bool { return allOf(2)(all) && len(all.Processes) == 4 })
	n.grow(1)
	n.hold(45)
	n.survives(1, 45)
	for name, inode := range inodes(t, m) {
		if old[name] == inode {
			t.Errorf("%s of the build before is kept", name)
		}
	}
	if got := named(m, inherit.NameArena); got != 2 {
		t.Errorf("the manager keeps %d parts", got)
	}
}

// inodes are those of the parts that the manager keeps, once it has been told all that was sent.
func inodes(t *testing.T, m *manager) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	for _, f := range m.stored() {
		var st unix.Stat_t
		if err := unix.Fstat(f.FD, &st); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(f.Name, inherit.NameArena) {
			all[f.Name] = st.Ino
		}
		unix.Close(f.FD)
	}
	return all
}

// Two arenas can be found: that of workers of a build before, which drain still, is none for this one.
func TestTheArenaThatCanBeUsedIsFoundAmongSeveral(t *testing.T) {
	i, m, o := kept(t, nil)
	i.grow(1)
	i.hold(46)
	i.leave()
	other, err := arena.Create(arena.Options{})
	if err == nil {
		err = other.Grow(0, 0, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dup := func(fd int) int {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	part := dup(other.Parts()[0])
	if _, err := unix.Pwrite(other.FD(), []byte{1}, 8); err != nil {
		t.Fatal(err)
	}
	o.Stored = append([]systemd.FD{{Name: inherit.NameArena, FD: dup(other.FD())}, {Name: inherit.NamePart(1), FD: part}}, m.stored()...)
	n := i.successor(o)
	n.takeControl()
	n.survives(1, 46)
}

// A worker may write anywhere, also where others look first.
func TestAWorkerThatWritesOverTheArenaKeepsNobodyFromStarting(t *testing.T) {
	i := boot(t, nil)
	i.grow(1)
	i.hold(47)
	i.wantHeld(1, 47) // now all have mapped what there is
	for _, fd := range append(i.arena.Parts(), i.arena.FD()) {
		if _, err := unix.Pwrite(fd, make([]byte, 4096), 0); err != nil {
			t.Fatal(err)
		}
	}
	i.survives(1, 47)
}

// As one that had no descriptor left when it came.
func TestAWorkerThatMissedAPartGetsItWithTheNext(t *testing.T) {
	i := boot(t, nil)
	i.behave("worker1.arenapart", "ignore")
	i.grow(1)
	i.grow(2)
	i.lost(1, 3) // the first comes again with the second
	i.behave("worker1.arenapart", "")
	i.grow(3)
	i.hold(49)
	i.wantHeld(3, 49)
}

// lost waits until a worker has let messages pass.
func (i *instance) lost(slot, messages int) {
	i.t.Helper()
	path := filepath.Join(i.dir, fmt.Sprintf("worker%d.ignored", slot))
	i.until("messages lost", func(*ipc.StatusAll) bool {
		data, _ := os.ReadFile(path)
		return len(data) >= messages
	})
}

// A supervisor can end between making a part and telling everybody.
func TestWorkersThatWereNotToldOfAPartAreToldByTheNextSupervisor(t *testing.T) {
	i, m, o := kept(t, nil)
	i.behave("worker1.arenapart", "ignore")
	i.grow(1)
	i.grow(2)
	i.lost(1, 3) // the first comes again with the second
	i.leave()
	i.behave("worker1.arenapart", "")
	o.Stored = m.stored()
	n := i.successor(o)
	n.takeControl()
	n.hold(48)
	n.survives(2, 48)
}

func TestTheArenaDoesNotGrowWhileAnotherSupervisorTakesOver(t *testing.T) {
	f := &flip{}
	asked, goOn := make(chan struct{}), make(chan struct{})
	f.start = func(*ipc.Conn) error {
		close(asked)
		<-goOn
		return errors.New("gives up")
	}
	i := boot(t, func(o *Options) { o.Upgrader = f })
	i.send(ipc.Upgrade{RequestedBy: "test"})
	<-asked
	i.send(ipc.ArenaGrow{Records: 1})
	m := i.receive(ipc.TypeArenaGrown, ipc.TypeRefused)
	m.Close()
	if r, ok := m.Body.(*ipc.Refused); !ok || r.Code != ipc.CodeBusy {
		t.Errorf("got %+v", m.Body)
	}
	close(goOn)
	i.receive(ipc.TypeRefused).Close()
	i.grow(1)
}
