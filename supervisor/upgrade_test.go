package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
)

// flip is an Upgrader whose successor is another Run in this process.
type flip struct {
	check error
	start func(*ipc.Conn) error
}

func (f *flip) Check(context.Context) error   { return f.check }
func (f *flip) Start(socket *ipc.Conn) error  { return f.start(socket) }
func (f *flip) refuse(*ipc.Conn) error        { return errors.New("exit status 1") }
func (f *flip) silent(socket *ipc.Conn) error { return nil }
func (f *flip) stranger(socket *ipc.Conn) error {
	ask := ipc.HandoverRequest{PID: 1, ProtoMin: 77, ProtoMax: 99}
	if err := socket.Send(context.Background(), 1, ask); err != nil {
		return err
	}
	m, err := socket.Receive(context.Background())
	if err != nil {
		return err
	}
	m.Close()
	return errors.New("got " + m.Body.Type().String())
}

// takes asks for everything, tells the workers that it owns them now, and dies.
func (f *flip) takes(socket *ipc.Conn) error {
	ask := ipc.HandoverRequest{PID: 1, ProtoMin: 1, ProtoMax: 1}
	if err := socket.Send(context.Background(), 1, ask); err != nil {
		return err
	}
	socket.TakeFDs()
	m, err := socket.Receive(context.Background())
	if err != nil {
		return err
	}
	defer m.Close()
	b, ok := m.Body.(*ipc.Handover)
	if !ok {
		return errors.New("got " + m.Body.Type().String())
	}
	for _, slot := range b.Workers {
		fd, err := m.Take(slot)
		if err != nil {
			return err
		}
		conn, err := ipc.FromFD(fd)
		if err != nil {
			return err
		}
		conn.SetEpoch(1)
		if err := conn.Send(context.Background(), 1, ipc.Resync{Epoch: 1}); err != nil {
			return err
		}
		conn.Close()
	}
	return errors.New("crashed")
}

// upgraded has a successor take over by hand-over, and returns it.
func (i *instance) upgraded(f *flip, m *manager, o Options) *instance {
	i.t.Helper()
	successors := make(chan *instance, 1)
	f.start = func(socket *ipc.Conn) error {
		ready := make(chan struct{})
		fd, err := socket.FD()
		if err == nil {
			fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		}
		if err != nil {
			return err
		}
		conn, err := ipc.FromFD(fd)
		if err != nil {
			return err
		}
		next := o
		next.Manager, next.Upgrader = m.open(), nil
		next.Predecessor = &Predecessor{Conn: conn, Ready: func() error { close(ready); return nil }, Gone: func() {}}
		successors <- i.successor(next)
		select {
		case <-ready:
			return nil
		case <-time.After(patience):
			return errors.New("not ready")
		}
	}
	i.send(ipc.Upgrade{RequestedBy: "test"})
	msg := i.receive(ipc.TypeUpgraded, ipc.TypeRefused)
	msg.Close()
	if _, ok := msg.Body.(*ipc.Upgraded); !ok {
		i.t.Fatalf("%+v", msg.Body)
	}
	i.life.Close() // control ends when it has passed that on
	if err := i.end(); err != nil {
		i.t.Fatal(err)
	}
	n := <-successors
	n.takeControl()
	return n
}

func TestAnUpgradeMovesEverything(t *testing.T) {
	f := &flip{}
	i, m, o := kept(t, func(o *Options) { o.Upgrader = f })
	before := pids(i.status())
	n := i.upgraded(f, m, o)
	all := n.until("the same workers", func(all *ipc.StatusAll) bool { return slices.Equal(pids(all), before) && all.Settled })
	if all.LastRecord.Kind != ipc.RecordUpgrade || all.LastRecord.By != "test" {
		t.Errorf("last entry %+v", all.LastRecord)
	}
	n.mustApply(n.proposal("one", "two"))
	if !m.heard("MAINPID=") || !m.heard("BARRIER=1") {
		t.Errorf("the manager heard %q", m.told)
	}
}

func TestAFailedUpgradeLeavesEverythingAsItWas(t *testing.T) {
	f := &flip{}
	for name, c := range map[string]struct {
		check  error
		start  func(*ipc.Conn) error
		reason string
	}{
		"a binary that does not pass":   {errors.New("wrong"), nil, "wrong"},
		"one that ends":                 {nil, f.refuse, "exit status 1"},
		"one that asks for nothing":     {nil, f.silent, "never asked"},
		"one that speaks another way":   {nil, f.stranger, "got Refused"},
		"one that crashes in the midst": {nil, f.takes, "crashed"},
	} {
		t.Run(name, func(t *testing.T) {
			i, _, _ := kept(t, func(o *Options) {
				o.Upgrader = &flip{check: c.check, start: c.start}
				o.Timings.Heartbeat = time.Second
			})
			before := pids(i.status())
			i.send(ipc.Upgrade{RequestedBy: "test"})
			msg := i.receive(ipc.TypeUpgraded, ipc.TypeRefused)
			msg.Close()
			if b, ok := msg.Body.(*ipc.Refused); !ok || !strings.Contains(b.Reason, c.reason) {
				t.Fatalf("%+v, want %q", msg.Body, c.reason)
			}
			all := i.status()
			if !slices.Equal(pids(all), before) || all.LastRecord.Kind != ipc.RecordUpgrade || all.LastRecord.Result != "refused" {
				t.Errorf("%+v", all)
			}
			i.mustApply(i.proposal("one", "two"))
			heard := time.Now()
			i.until("workers that are heard for longer than silence may last", func(all *ipc.StatusAll) bool {
				return time.Since(heard) > 2*time.Second
			})
			if got := pids(i.status()); !slices.Equal(got, before) {
				t.Errorf("workers %v, before %v", got, before)
			}
		})
	}
}

// A worker that has closed its socket and has not exited yet is not waited for.
func TestAnUpgradeDoesNotWaitForAWorkerThatIsEnding(t *testing.T) {
	f := &flip{}
	f.start = f.takes
	i, _, _ := kept(t, func(o *Options) { o.Upgrader, o.Timings.StopFast = f, patience })
	i.behave("worker0.beat", "mute")
	i.until("a closed socket", func(*ipc.StatusAll) bool {
		_, err := os.Stat(filepath.Join(i.dir, "sent"))
		return err == nil
	})
	i.send(ipc.Upgrade{RequestedBy: "test"})
	msg := i.receive(ipc.TypeUpgraded, ipc.TypeRefused)
	msg.Close()
	if b, ok := msg.Body.(*ipc.Refused); !ok || !strings.Contains(b.Reason, "crashed") {
		t.Fatalf("%+v: the successor was told nothing", msg.Body)
	}
}

func TestASecondUpgradeIsRefused(t *testing.T) {
	release := make(chan struct{})
	f := &flip{start: func(*ipc.Conn) error { <-release; return errors.New("gave up") }}
	i, _, _ := kept(t, func(o *Options) { o.Upgrader = f })
	i.send(ipc.Upgrade{})
	i.until("an upgrade under way", func(all *ipc.StatusAll) bool { return all.State == stateUpgrading })
	i.send(ipc.Upgrade{})
	msg := i.receive(ipc.TypeUpgraded, ipc.TypeRefused)
	msg.Close()
	if b, ok := msg.Body.(*ipc.Refused); !ok || !strings.Contains(b.Reason, "under way") {
		t.Errorf("%+v", msg.Body)
	}
	close(release)
	if b, ok := i.verdict().(*ipc.Refused); !ok || !strings.Contains(b.Reason, "gave up") {
		t.Errorf("%+v", b)
	}
}
