package supervisor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/systemd"
)

// manager is a service manager as far as the supervisor sees one: it keeps descriptors, and what it was told.
type manager struct {
	t    *testing.T
	path string
	mu   sync.Mutex // guards the rest
	fds  map[string]int
	told []string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify"), fds: map[string]int{}}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when the socket is closed
		defer close(done)
		buf, oob := make([]byte, 4096), make([]byte, 4096)
		for {
			n, oobn, _, _, err := l.ReadMsgUnix(buf, oob)
			if err != nil {
				return
			}
			m.take(string(buf[:n]), oob[:oobn])
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, fd := range m.fds {
			unix.Close(fd)
		}
	})
	return m
}

func (m *manager) take(text string, oob []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, text)
	var fds []int
	if msgs, err := unix.ParseSocketControlMessage(oob); err == nil && len(msgs) > 0 {
		fds, _ = unix.ParseUnixRights(&msgs[0])
	}
	name := ""
	for line := range strings.Lines(text) {
		if after, ok := strings.CutPrefix(strings.TrimSpace(line), "FDNAME="); ok {
			name = after
		}
	}
	old, known := m.fds[name]
	switch {
	case strings.HasPrefix(text, "FDSTORE=1") && !known && len(fds) == 1:
		m.fds[name] = fds[0]
		return
	case strings.HasPrefix(text, "FDSTOREREMOVE=1") && known:
		unix.Close(old)
		delete(m.fds, name)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// open returns the supervisor's side of it.
func (m *manager) open() *systemd.Notifier {
	n, err := systemd.Open(func(string) string { return m.path })
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// stored gives out duplicates of what is kept, as at a start of the service.
func (m *manager) stored() (all []systemd.FD) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, fd := range m.fds {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			m.t.Fatal(err)
		}
		all = append(all, systemd.FD{Name: name, FD: dup})
	}
	return all
}

func (m *manager) heard(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.told, func(s string) bool { return strings.Contains(s, text) })
}

// successor starts another supervisor in the place of one that has ended, or is about to.
func (i *instance) successor(o Options) *instance {
	i.t.Helper()
	ctx, cancelAll := context.WithTimeout(context.Background(), patience)
	n := &instance{t: i.t, dir: i.dir, signals: make(chan os.Signal, 100), ended: make(chan error, 1), ready: make(chan struct{}, 1),
		dials: i.dials, ctx: ctx, seen: map[ipc.Type]int{}, address: i.address}
	o.Signals, o.OnReady = n.signals, func() { n.ready <- struct{}{} }
	go func() { n.ended <- Run(context.Background(), o) }()
	i.t.Cleanup(func() {
		n.signals <- unix.SIGTERM
		n.signals <- unix.SIGTERM
		select {
		case <-n.ended:
		case <-time.After(patience):
			i.t.Error("the successor did not end")
		}
		cancelAll()
	})
	return n
}

// kept boots an instance under a manager, and returns its options too.
func kept(t *testing.T, change func(*Options)) (*instance, *manager, Options) {
	t.Helper()
	m := newManager(t)
	var used Options
	i := boot(t, func(o *Options) {
		o.Manager, o.Build = m.open(), "one"
		o.Timings.Adopt = 2 * time.Second
		if change != nil {
			change(o)
		}
		used = *o
	})
	return i, m, used
}

func (i *instance) leave() {
	i.t.Helper()
	i.signals <- HandOff
	if err := i.end(); err != nil {
		i.t.Fatal(err)
	}
}

func TestARestartKeepsTheWorkers(t *testing.T) {
	i, m, o := kept(t, nil)
	before := pids(i.status())
	i.leave()
	if a := i.ask(); a.SHA != "one" {
		t.Fatalf("while there is no supervisor: %+v", a)
	}
	o.Stored = m.stored()
	n := i.successor(o)
	n.takeControl()
	if n.start.SHA != "one" || n.start.Load != ipc.RecordRestart || n.start.Version != 1 {
		t.Errorf("control is told %+v", n.start)
	}
	all := n.until("the same workers", func(all *ipc.StatusAll) bool { return slices.Equal(pids(all), before) && all.Settled })
	if all.Epoch != 1 || all.LastRecord.Kind != ipc.RecordRestart || all.LastRecord.Workers != 2 {
		t.Errorf("epoch %d, last entry %+v", all.Epoch, all.LastRecord)
	}
	n.mustApply(n.proposal("one", "two"))
	if a := n.ask(); a.SHA != "two" || !slices.Equal(pids(n.status()), before) {
		t.Errorf("a worker serves %s, workers %v, before %v", a.SHA, pids(n.status()), before)
	}
	unix.Kill(before[0], unix.SIGKILL)
	n.until("a successor of a worker that was taken over", twoActive(before[0]))
	if !m.heard("READY=1") {
		t.Errorf("the manager heard %q", m.told)
	}
}

// wantKept checks what control is told of its items, by kind.
func (i *instance) wantKept(wanted map[string]string) {
	i.t.Helper()
	for kind, want := range wanted {
		i.send(ipc.StateRequest{Kind: kind})
		answer := i.receive(ipc.TypeState)
		got := ""
		for _, item := range answer.Body.(*ipc.State).Items {
			got += item.Key + "=" + string(item.Body)
		}
		answer.Close()
		if got != want {
			i.t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
}

// Two orphans: worker 1 was told last, the other missed that.
func TestListsOfBackendsComeBackFromTheOrphanThatWasToldLast(t *testing.T) {
	for name, c := range map[string]struct {
		one, all string // how orphans behave: worker 1, and both
		want     string
	}{
		"all well":                  {want: "new"},
		"the newest is of old":      {one: "older build", want: "old"},
		"the newest brings garbage": {one: "garbage", want: "old"},
		"the newest forges":         {one: "forger", want: "old"},
		"the newest exceeds":        {one: "too long", want: "old"},
		"all are of old":            {all: "older build"},
		"all bring garbage":         {all: "garbage"},
	} {
		t.Run(name, func(t *testing.T) {
			var o Options
			i := boot(t, func(used *Options) {
				used.Build, used.Timings.State = "one", 100*time.Millisecond
				if err := os.WriteFile(filepath.Join(filepath.Dir(used.RunDir), "worker.rescue"), []byte("wait"), 0o644); err != nil {
					t.Fatal(err)
				}
				o = *used
			})
			list := func(body string) ipc.StateItem {
				return ipc.StateItem{Kind: ipc.StateEndpoints, Key: "u@1", Body: ipc.Secret(body)}
			}
			i.mustPublish(2, false, token("a", "1"), list("old"))
			i.behave("worker1.state", "well")
			i.behave("worker.state", "ignore")
			i.publish(false, list("new"))
			i.behave("worker.state", "")
			before := pids(i.status())
			i.leave()
			i.behave("worker1.orphan", c.one)
			i.behave("worker.orphan", c.all)
			n := i.successor(o)
			n.takeControl()
			n.until("the same workers", func(all *ipc.StatusAll) bool { return slices.Equal(pids(all), before) && all.Settled })
			if c.want == "" {
				n.wantKept(map[string]string{ipc.StateEndpoints: ""})
				if n.start.Items != 0 {
					t.Errorf("control is told of %d items", n.start.Items)
				}
				return
			}
			n.wantKept(map[string]string{ipc.StateEndpoints: "u@1=" + c.want, ipc.StateCertificate: "", ipc.StateToken: ""})
			n.wantItems("endpoints u@1=" + c.want + " token a=1") // what only control knows is not taken away
			if n.start.Items != 1 {
				t.Errorf("control is told of %d items", n.start.Items)
			}
			unix.Kill(before[0], unix.SIGKILL)
			n.until("a successor of a worker", twoActive(before[0]))
			n.mustPublish(2, false, list("later"))
			n.leave()
			n.behave("worker1.orphan", "")
			last := n.successor(o)
			last.takeControl()
			last.wantKept(map[string]string{ipc.StateEndpoints: "u@1=later"})
		})
	}
}

func TestAStopLeavesNothingInTheStore(t *testing.T) {
	i, m, _ := kept(t, nil)
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.stored() {
		name := f.Name
		unix.Close(f.FD)
		if strings.HasPrefix(name, "l-") || strings.HasPrefix(name, "c-") {
			t.Errorf("%s is still kept", name)
		}
	}
	if _, err := os.Stat(filepath.Join(i.dir, "run", "supervisor.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state is still there: %v", err)
	}
}

func TestAStopThatMayBeARestartKeepsTheAddresses(t *testing.T) {
	i, m, o := kept(t, func(o *Options) { o.KeepStored = true })
	i.signals <- unix.SIGTERM
	if err := i.end(); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp4", i.address) // waits in the queue of the stored socket
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.Stored = m.stored()
	n := i.successor(o)
	n.takeControl()
	if n.start.SHA != "" || n.start.Load != "" {
		t.Errorf("control is told %+v", n.start)
	}
	n.mustApply(n.proposal("", "one"))
	c.SetDeadline(time.Now().Add(patience))
	if b := make([]byte, 1); func() error { _, err := c.Read(b); return err }() != nil {
		t.Error("who waited was not served")
	}
}

func TestAnotherBuildRollsAfterARestart(t *testing.T) {
	i, m, o := kept(t, nil)
	before := pids(i.status())
	i.leave()
	o.Stored, o.Build = m.stored(), "two"
	n := i.successor(o)
	n.takeControl()
	if n.start.SHA != "" || n.start.Load != ipc.RecordRestart {
		t.Errorf("control is told %+v", n.start)
	}
	all := n.status()
	if !slices.Equal(pids(all), before) || all.Settled || len(all.Degraded) == 0 {
		t.Errorf("before the load: %+v", all)
	}
	if a := n.mustApply(n.proposal("", "one")); a.Version != 1 {
		t.Errorf("version %d", a.Version)
	}
	all = n.until("fresh workers alone", allOf(2))
	for _, pid := range pids(all) {
		if slices.Contains(before, pid) {
			t.Errorf("worker %d of the build before is active", pid)
		}
	}
}

func TestAConfigurationThatTheNewBuildRefusesLeavesTheOldWorkers(t *testing.T) {
	i, m, o := kept(t, nil)
	before := pids(i.status())
	i.leave()
	o.Stored, o.Build = m.stored(), "two"
	n := i.successor(o)
	n.takeControl()
	n.send(ipc.Refused{Code: ipc.CodeInvalid, Reason: "not any more"})
	all := n.until("the reason", func(all *ipc.StatusAll) bool {
		return strings.Contains(strings.Join(all.Degraded, " "), "not any more")
	})
	if !slices.Equal(pids(all), before) || n.ask().SHA != "one" {
		t.Errorf("%+v", all)
	}
	n.mustApply(n.proposal("", "two"))
}

func TestAWorkerThatDoesNotAnswerIsReplaced(t *testing.T) {
	i, m, o := kept(t, nil)
	before := pids(i.status())
	i.behave("worker0.resync", "ignore")
	i.leave()
	o.Stored = m.stored()
	n := i.successor(o)
	n.takeControl()
	all := n.until("a fresh worker beside the one that answered", twoActive(before[0]))
	if !slices.Contains(pids(all), before[1]) {
		t.Errorf("workers %v, before %v", pids(all), before)
	}
}

func TestWhatWasUnderWayAtACrashIsSettled(t *testing.T) {
	// A supervisor that leaves while a roll is under way gives it up; a crash would leave the same.
	i, m, o := kept(t, func(o *Options) { o.Timings.HandOff = 50 * time.Millisecond })
	before := pids(i.status())
	i.behave("worker1.start", "hang")
	p := i.proposal("one", "two")
	p.Class = ipc.ClassRoll
	i.sendProposal(p)
	i.until("a roll under way", func(all *ipc.StatusAll) bool { return all.State == stateRolling })
	i.leave()
	o.Stored = m.stored()
	n := i.successor(o)
	n.takeControl()
	all := n.until("the old workers alone", func(all *ipc.StatusAll) bool {
		return slices.Equal(pids(all), before) && all.Settled && len(all.Processes) == 4
	})
	if all.SHA != "one" || n.ask().SHA != "one" {
		t.Errorf("%+v", all)
	}
}

func TestSocketsOfASocketUnitAreUsed(t *testing.T) {
	m := newManager(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, _ := l.(*net.TCPListener).SyscallConn()
	var fd int
	raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil {
		t.Fatal(err)
	}
	i := launch(t, func(o *Options) {
		o.Manager, o.Stored = m.open(), []systemd.FD{{Name: "pingap.socket", FD: fd}}
	})
	i.address = l.Addr().String() // nobody else could bind it
	i.takeControl()
	i.mustApply(i.proposal("", "one"))
	if a := i.ask(); a.SHA != "one" || !a.Nonblock {
		t.Errorf("%+v", a)
	}
}
