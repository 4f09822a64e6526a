package worker

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
)

// rescued is a worker with a rescue socket, and the path to that.
func rescued(t *testing.T, cfg string, change func(*Options)) (*boss, string) {
	t.Helper()
	b, path := rescuable(t, change)
	b.start(cfg, nil)
	b.activate()
	return b, path
}

// rescuable is one that was not started yet.
func rescuable(t *testing.T, change func(*Options)) (*boss, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rescue")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 8)); err != nil {
		t.Fatal(err)
	}
	b := newBoss(t, change)
	b.rescue = fd
	return b, path
}

// successor comes to the rescue socket as a new supervisor does.
func successor(t *testing.T, path string) *ipc.Conn {
	t.Helper()
	conn, err := ipc.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	conn.TakeFDs()
	t.Cleanup(func() { conn.Close() })
	return conn
}

// orphan receives what the worker shows.
func orphan(t *testing.T, conn *ipc.Conn) (*ipc.Message, *ipc.Orphan) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := conn.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	o, ok := m.Body.(*ipc.Orphan)
	if !ok {
		t.Fatalf("the first message is %s", m.Body.Type())
	}
	return m, o
}

// takeOver makes conn the boss's.
func (b *boss) takeOver(conn *ipc.Conn, epoch uint32) *ipc.Status {
	b.t.Helper()
	b.conn.Close()
	for range b.in { // until its receiver has ended
	}
	b.conn, b.in = conn, make(chan *ipc.Message, 1024)
	go b.receive() // ends with the connection
	conn.SetEpoch(epoch)
	b.send(ipc.Resync{Epoch: epoch})
	for { // a heartbeat may be in between
		if s := receive[*ipc.Status](b); s.Process != nil {
			return s
		}
	}
}

func TestANewSupervisorTakesAnOrphanOver(t *testing.T) {
	b, path := rescued(t, config1("127.0.0.1:1"), nil)
	c := b.dial()
	c.get("/a")
	for epoch := range uint32(3) { // again and again
		next := successor(t, path) // may come before the worker knows
		b.conn.Close()
		m, o := orphan(t, next)
		if o.Hello.PID != os.Getpid() || o.Hello.SHA != b.sha || o.Status.State != ipc.StateActive || o.Column != 1 || len(o.Listeners) != 1 {
			t.Fatalf("shown %+v", o)
		}
		if l := o.Listeners[0]; l.Address != b.addr || l.Server != "s" || l.ID == "" {
			t.Errorf("listener %+v", l)
		}
		wantHeld(t, b, m, o)
		s := b.takeOver(next, epoch+1)
		if s.Process.PID != os.Getpid() || s.Process.SHA != b.sha || s.Process.Slot != 1 || s.Process.Generation != 2 {
			t.Errorf("process %+v", s.Process)
		}
		text := []string{"two", "one", "two"}[epoch]
		b.apply(b.load(map[string]string{"one": config1("127.0.0.1:1"), "two": config2("127.0.0.1:1")}[text]))
		if got := c.get("/a"); got != "200 "+text {
			t.Errorf("a change by the new supervisor: %s", got)
		}
	}
	b.send(ipc.Drain{IdleGrace: time.Millisecond, Timeout: patience})
	receive[*ipc.Draining](b)
	receive[*ipc.Gone](b)
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
}

// wantHeld checks the descriptors that an orphan has shown.
func wantHeld(t *testing.T, b *boss, m *ipc.Message, o *ipc.Orphan) {
	t.Helper()
	fd, err := m.Take(o.Listeners[0].FD)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening != 1 {
		t.Errorf("the listener does not listen: %d, %v", listening, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("the listener blocks: %#x, %v", flags, err)
	}
	if fd, err = m.Take(o.Arena); err != nil {
		t.Fatal(err)
	}
	a, err := arena.Map(fd, arena.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	if fd, err = m.Take(o.Snapshot); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	data, err := ipc.ReadMemfd(fd, maxSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := config.OpenSnapshot(data); err != nil || s.Sha().String() != b.sha {
		t.Errorf("the snapshot is not what runs: %v", err)
	}
}

func TestWhoDoesNotResyncIsDropped(t *testing.T) {
	for name, act := range map[string]func(*ipc.Conn) error{
		"silence":       func(*ipc.Conn) error { return nil },
		"other message": func(c *ipc.Conn) error { return c.Send(t.Context(), 1, ipc.Stop{}) },
	} {
		t.Run(name, func(t *testing.T) {
			b, path := rescued(t, config1("127.0.0.1:1"), func(o *Options) { o.Timings.Resync = 100 * time.Millisecond })
			b.conn.Close()
			idler := successor(t, path)
			orphan(t, idler)
			if err := act(idler); err != nil {
				t.Fatal(err)
			}
			next := successor(t, path) // has to wait until the first is out of the way
			orphan(t, next)
			if m, err := idler.Receive(t.Context()); err != io.EOF {
				t.Errorf("the first one got %+v, %v", m, err)
			}
			b.takeOver(next, 1)
		})
	}
}

func TestNobodyIsLetInWhileThereIsASupervisor(t *testing.T) {
	b, path := rescued(t, config1("127.0.0.1:1"), func(o *Options) { o.Timings.Beat = 5 * time.Millisecond })
	early := successor(t, path)
	for range 3 {
		receive[*ipc.Status](b)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if m, err := early.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestADrainingOrphanIsFound(t *testing.T) {
	up := newBackend(t)
	b, path := rescued(t, "[basic]\norphan_grace = \"1ms\"\n"+config1(up.addr), nil)
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.conn.Close()
	var next *ipc.Conn
	for end := time.Now().Add(patience); ; {
		next = successor(t, path)
		_, o := orphan(t, next)
		if o.Status.State == ipc.StateDraining {
			if len(o.Listeners) > 0 {
				t.Errorf("a draining worker has listeners: %+v", o.Listeners)
			}
			break
		}
		if next.Close(); time.Now().After(end) {
			t.Fatal("it does not drain")
		}
	}
	if s := b.takeOver(next, 1); s.State != ipc.StateDraining {
		t.Errorf("status %+v", s)
	}
	up.letGo <- struct{}{}
	if status, body, last := slow.answer(); status != 200 || body != "from backend" || !last {
		t.Errorf("the request under way: %d %s, last %t", status, body, last)
	}
	if gone := receive[*ipc.Gone](b); gone.Requests != 1 {
		t.Errorf("gone %+v", gone)
	}
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
}

func TestAnOrphanBringsItsListsOfBackendsBack(t *testing.T) {
	b, path := rescued(t, config1("127.0.0.1:1"), nil)
	list := func(upstream, body string) ipc.StateItem {
		return ipc.StateItem{Kind: ipc.StateEndpoints, Key: upstream + "@1", Body: ipc.Secret(body)}
	}
	const drained = `{"upstream":"u","source":"1","list":[{"address":"127.0.0.1:1","weight":1,"admin":"drain","reason":"kept as it came"}]}`
	gone := list("v", "")
	gone.Gone = true
	for epoch, step := range []struct {
		tell []ipc.StateItem
		want string
	}{
		{[]ipc.StateItem{tokenItem("tok", "x")}, ""}, // no list, no file
		{[]ipc.StateItem{list("u", drained), list("v", `{"upstream":"v","source":"1"}`)}, "u@1=" + drained + ` v@1={"upstream":"v","source":"1"}`},
		{[]ipc.StateItem{gone, list("u", "{")}, "u@1=" + drained}, // what makes no sense changes nothing
	} {
		b.tell(ipc.State{Items: step.tell, Number: uint64(epoch) + 5})
		next := successor(t, path)
		b.conn.Close()
		m, o := orphan(t, next)
		if o.Number != uint64(epoch)+5 {
			t.Errorf("number %d", o.Number)
		}
		var got []string
		if step.want != "" {
			fd, err := m.Take(o.Items)
			if err != nil {
				t.Fatal(err)
			}
			items, err := ipc.ReadItems(fd)
			unix.Close(fd)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range items {
				if i.Kind != ipc.StateEndpoints {
					t.Errorf("an item of kind %s", i.Kind)
				}
				got = append(got, i.Key+"="+string(i.Body))
			}
		} else if o.Items != 0 {
			t.Error("a file of nothing")
		}
		slices.Sort(got)
		if strings.Join(got, " ") != step.want {
			t.Errorf("brings back %q, want %q", got, step.want)
		}
		b.takeOver(next, uint32(epoch)+1)
	}
}

// A supervisor that found its worker in time keeps it beyond the grace.
func TestResyncEndsTheGrace(t *testing.T) {
	b, path := rescued(t, "[basic]\norphan_grace = \"1s\"\n"+config1("127.0.0.1:1"), func(o *Options) { o.Timings.Beat = 5 * time.Millisecond })
	b.conn.Close()
	next := successor(t, path)
	orphan(t, next)
	b.takeOver(next, 1)
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		if s := receive[*ipc.Status](b); s.State != ipc.StateActive {
			t.Fatalf("state %s", s.State)
		}
	}
}

func TestOnlyTheOwnerAndRootMayRescue(t *testing.T) {
	l := lifeline{owner: 1000}
	for uid, want := range map[int]bool{0: true, 1000: true, 1001: false, 65534: false} {
		if got := l.admits(uid); got != want {
			t.Errorf("user %d: %t, want %t", uid, got, want)
		}
	}
}

func TestMessagesOfAReplacedSupervisorAreIgnored(t *testing.T) {
	b := hire(t, config1("127.0.0.1:1"), nil)
	b.conn.SetEpoch(7)
	b.send(ipc.Resync{Epoch: 7})
	if s := receive[*ipc.Status](b); s.Process == nil || s.Process.SHA != b.sha {
		t.Fatalf("status %+v", s)
	}
	b.conn.SetEpoch(6) // the one before
	b.send(ipc.Stop{})
	b.send(ipc.Resync{Epoch: 6})
	b.prepare(b.load(config2("127.0.0.1:1")))
	b.conn.SetEpoch(7)
	b.send(ipc.StatusRequest{})
	if s := receive[*ipc.Status](b); s.State != ipc.StateActive || s.Process != nil {
		t.Errorf("status %+v", s)
	}
	b.apply(b.load(config2("127.0.0.1:1")))
	if got := b.dial().get("/a"); got != "200 two" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestResyncInEveryState(t *testing.T) {
	up := newBackend(t)
	b := newBoss(t, nil)
	b.start(config1(up.addr), nil)
	resync := func(epoch uint32, state string) {
		t.Helper()
		b.conn.SetEpoch(epoch)
		b.send(ipc.Resync{Epoch: epoch})
		if s := receive[*ipc.Status](b); s.State != state || s.Process == nil {
			t.Errorf("status %+v, want %s", s, state)
		}
	}
	resync(1, ipc.StateReady)
	b.activate()
	resync(2, ipc.StateActive)
	txn, _ := b.prepare(b.load(config2(up.addr)))
	receive[*ipc.Prepared](b)
	resync(3, ipc.StateActive)
	if err := b.conn.Send(t.Context(), txn, ipc.Commit{}); err != nil {
		t.Fatal(err)
	}
	receive[*ipc.Nack](b) // what the supervisor before had prepared is dropped
	slow := b.dial()
	slow.send("/slow")
	<-up.arrived
	b.send(ipc.Drain{Timeout: patience})
	receive[*ipc.Draining](b)
	resync(4, ipc.StateDraining)
	up.letGo <- struct{}{}
	receive[*ipc.Gone](b)
}
