package worker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
)

// grow adds a part to the boss's arena and tells the worker.
func (b *boss) grow() {
	b.t.Helper()
	if err := b.arena.Grow(0, 0, 0); err != nil {
		b.t.Fatal(err)
	}
	b.sendPart(len(b.arena.Parts()))
}

func (b *boss) sendPart(n int) {
	b.t.Helper()
	var fds ipc.FDs
	b.send(ipc.ArenaPart{Index: n, FD: fds.Add(b.arena.Parts()[n-1])}, fds...)
}

// fill takes all counters that are left, as another worker.
func (b *boss) fill() {
	b.t.Helper()
	fd, err := unix.FcntlInt(uintptr(b.arena.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	other, err := arena.Map(fd, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	defer other.Close()
	for n := 0; err == nil; n++ {
		_, err = other.Counter(fmt.Sprint("other ", n))
	}
	if !errors.Is(err, arena.ErrFull) {
		b.t.Fatal(err)
	}
}

// limited is a configuration whose location counts what is in process.
func limited(upstream string) string {
	return strings.ReplaceAll(config1(upstream), `upstream = "up"`, "upstream = \"up\"\nmax_processing = 1")
}

func TestALocationThatFindsNoRoomDoesOnceTheArenaHasGrown(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	b.fill()
	b.prepare(b.load(limited(up.addr)))
	if nack := receive[*ipc.Nack](b); nack.Code != ipc.CodeResources {
		t.Fatalf("without room: %+v", nack)
	}
	b.grow()
	b.apply(b.load(limited(up.addr)))
	count, err := b.arena.Counter("location/up/processing")
	if err != nil {
		t.Fatal(err)
	}
	b.dial().send("/slow")
	<-up.arrived
	if got := count.Load(); got != 1 {
		t.Errorf("%d in process, want 1", got)
	}
	if got := b.dial().get("/x"); !strings.HasPrefix(got, "429 ") {
		t.Errorf("one too many: %.60s", got)
	}
	up.letGo <- struct{}{}
}

// Start brings what there is; later parts come in whatever state, and again from a supervisor that does not know who has them.
func TestAWorkerTakesPartsInEveryState(t *testing.T) {
	up := newBackend(t)
	b, path := rescuable(t, nil)
	if err := b.arena.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	b.sendStart(b.load(config1(up.addr)), nil)
	b.grow() // while it builds
	receive[*ipc.Ready](b)
	b.grow() // before it accepts
	b.activate()
	b.grow()
	b.conn.Close()
	next := successor(t, path)
	m, o := orphan(t, next)
	wantParts(t, b, m, o, 4)
	b.takeOver(next, 1)
	for n := range 4 {
		b.sendPart(n + 1)
	}
	b.grow()
	b.dial().send("/slow") // keeps it from ending
	<-up.arrived
	b.send(ipc.Drain{IdleGrace: time.Millisecond, Timeout: patience})
	receive[*ipc.Draining](b)
	b.grow()
	b.send(ipc.StatusRequest{})
	receive[*ipc.Status](b)
	b.conn.Close()
	next = successor(t, path)
	m, o = orphan(t, next)
	wantParts(t, b, m, o, 6)
	b.takeOver(next, 2)
	up.letGo <- struct{}{}
	receive[*ipc.Gone](b)
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
}

// wantParts checks that an orphan shows the whole arena, in its order.
func wantParts(t *testing.T, b *boss, m *ipc.Message, o *ipc.Orphan, n int) {
	t.Helper()
	if len(o.Parts) != n {
		t.Fatalf("%d parts are shown, want %d", len(o.Parts), n)
	}
	fd, err := m.Take(o.Arena)
	if err != nil {
		t.Fatal(err)
	}
	a, err := arena.Map(fd, arena.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, slot := range o.Parts {
		if fd, err = m.Take(slot); err == nil {
			err = a.AddPart(fd)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if a.Records() != b.arena.Records() {
		t.Errorf("%d records are shown, there are %d", a.Records(), b.arena.Records())
	}
}

func TestAPartThatMakesNoSenseDisturbsNobody(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	other, err := arena.Create(arena.Options{Columns: 2})
	if err == nil {
		err = other.Grow(0, 0, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var fds ipc.FDs
	b.send(ipc.ArenaPart{Index: 1, FD: fds.Add(other.Parts()[0])}, fds...)
	b.send(ipc.ArenaPart{Index: -1, FD: 7})
	if got := b.dial().get("/x"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("%.60s", got)
	}
	b.fill()
	b.grow()
	b.apply(b.load(limited(up.addr)))
}
