package control

import (
	"context"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"pingap/arena"
	"pingap/ipc"
)

// shared makes an arena as a supervisor gives it.
func shared(t *testing.T) *arena.Arena {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: 2, Rows: 8, Records: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func grow(t *testing.T, a *arena.Arena) {
	t.Helper()
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
}

// message passes a message through a socket.
func message(t *testing.T, body ipc.Body, fds ipc.FDs) *ipc.Message {
	t.Helper()
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	if err := ours.Send(t.Context(), 1, body, fds...); err != nil {
		t.Fatal(err)
	}
	m, err := theirs.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestControlGivesRecordsAwayThatWorkersSee(t *testing.T) {
	a := shared(t)
	grow(t, a)
	var fds ipc.FDs
	start := ipc.ControlStart{Arena: fds.Add(a.FD()), Parts: []ipc.Slot{fds.Add(a.Parts()[0])}}
	m := message(t, start, fds)
	p := &process{log: zap.NewNop()}
	p.takeArena(m, m.Body.(*ipc.ControlStart))
	if p.arena == nil || p.arena.Records() != a.Records() {
		t.Fatalf("the arena was not taken: %+v", p.arena)
	}
	defer p.closeArena()
	if err := p.arena.Claim(9, 77); err != nil {
		t.Fatal(err)
	}
	if a.Record(9, 77) == nil {
		t.Error("a row of a part was given away and is not seen")
	}
	before := a.Records()
	grow(t, a)
	fds = nil
	m = message(t, ipc.ArenaPart{Index: 2, FD: fds.Add(a.Parts()[1])}, fds)
	p.takePart(m, m.Body.(*ipc.ArenaPart))
	if err := p.arena.Claim(before+1, 78); err != nil || a.Record(before+1, 78) == nil {
		t.Errorf("of a part that came later: %v", err)
	}
}

func TestAnArenaThatMakesNoSenseLeavesControlWithout(t *testing.T) {
	a := shared(t)
	grow(t, a)
	var fds ipc.FDs
	m := message(t, ipc.ControlStart{Arena: fds.Add(a.Parts()[0])}, fds)
	p := &process{log: zap.NewNop()}
	p.takeArena(m, m.Body.(*ipc.ControlStart))
	if p.arena != nil {
		t.Fatal("a part was taken for an arena")
	}
	fds = nil
	m = message(t, ipc.ArenaPart{Index: 1, FD: fds.Add(a.Parts()[0])}, fds)
	p.takePart(m, m.Body.(*ipc.ArenaPart)) // refused, and that is all
	p.closeArena()
}

func TestGrowingWaitsForTheSupervisor(t *testing.T) {
	for name, c := range map[string]struct {
		answer ipc.Body
		want   string
	}{
		"grown":   {ipc.ArenaGrown{Parts: 1, Records: 16392}, ""},
		"refused": {ipc.Refused{Code: ipc.CodeResources, Reason: "no more parts"}, "no more parts"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs, err := ipc.Pair()
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			ctx, cancel := context.WithCancelCause(t.Context())
			p := &process{log: zap.NewNop(), answers: map[uint32]*pending{}, events: make(chan func(context.Context)),
				opt: Options{Conn: theirs, Beat: patience}}
			var wg sync.WaitGroup
			defer wg.Wait()
			defer theirs.Close()
			defer cancel(nil)
			wg.Go(func() { p.receive(ctx, cancel) })
			wg.Go(func() { p.loop(ctx) })
			wg.Go(func() {
				m, err := ours.Receive(ctx)
				if err != nil {
					return
				}
				defer m.Close()
				if b, ok := m.Body.(*ipc.ArenaGrow); ok && b.Records == 5 {
					_ = ours.Send(ctx, m.Txn, c.answer)
				}
			})
			err = p.growArena(ctx, 5)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAProposalSaysHowMuchOfTheArenaItWants(t *testing.T) {
	text := base
	for _, name := range []string{"m", "n"} {
		text += "\n[locations." + name + "]\npath = \"/" + name + "\"\nupstream = \"u\"\nmax_processing = 7\n"
	}
	const always = 1 + 2 // connections of the upstream; files of caches that are read and written
	r := newRig(t, "[basic]\nlive_figures = false\n"+text, rigOptions{})
	if p := r.boot(); p.Settings.Counters != 2+always || p.Settings.Totals != 1 {
		t.Errorf("%+v, want a counter for each location with max_processing, and one total for all", p.Settings)
	}
	r = newRig(t, text, rigOptions{})
	if p := r.boot(); p.Settings.Counters != 2+always+2 || p.Settings.Totals != 1+2+1+1 {
		t.Errorf("%+v, want as much for those who look as for metrics", p.Settings)
	}
	measured := strings.Replace(text, "[servers.web]", "[servers.web]\nprometheus_metrics = \"/metrics\"", 1)
	r = newRig(t, measured, rigOptions{})
	m := r.receive() // where metrics are, which workers know first
	defer m.Close()
	as[*ipc.State](t, m.Body)
	r.send(m.Txn, ipc.StateTaken{Workers: 2})
	if p := r.boot(); p.Settings.Counters != 2+always+2 || p.Settings.Totals != 1+2+1+1 {
		t.Errorf("%+v, want counters for one location and all, totals for these, the server and the upstream", p.Settings)
	}
}
