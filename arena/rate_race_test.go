package arena

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	rateInterval = 20 * time.Microsecond
	rateBurst    = 3
	rateSlot     = 150 * time.Microsecond // for which all ask for the same two keys
	rateTime     = 700 * time.Millisecond
	rateGrace    = 30 * time.Microsecond // short, for places to change hands
)

// event is one that was admitted: in between the two times.
type event struct {
	key           int
	before, after int64
}

// rating is a worker process that asks, with all others, for keys that change: each time all of them race for the places whose time is
// past. It writes what was admitted.
func rating(a *Arena, keys int) error {
	grace = rateGrace.Nanoseconds()
	var wg sync.WaitGroup
	logs := make([][]event, 2)
	fmt.Println("ok")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	end := Now() + rateTime.Nanoseconds()
	for n := range logs {
		wg.Go(func() {
			for i := 0; ; i++ {
				before := Now()
				if before > end {
					return
				}
				key := (int(before/rateSlot.Nanoseconds()) + i%2) % keys
				if ok, _, _ := a.Allow(Key{uint64(key), 1}, rateInterval, rateBurst, before); ok {
					logs[n] = append(logs[n], event{key, before, Now()})
				}
			}
		})
	}
	wg.Wait()
	out := bufio.NewWriter(os.Stdout)
	for _, e := range slices.Concat(logs...) {
		fmt.Fprintln(out, e.key, e.before, e.after)
	}
	return out.Flush()
}

// raters starts processes, lets them go at once, and returns what was admitted by those that were not killed.
func raters(t *testing.T, a *Arena, n, keys int, kill bool) (all []event) {
	t.Helper()
	var cmds []*exec.Cmd
	var ins []io.WriteCloser
	var outs []*bufio.Reader
	for column := range n {
		cmd, in, out := start(t, a, "rate "+strconv.Itoa(keys), column)
		if line, err := out.ReadString('\n'); err != nil || line != "ok\n" {
			t.Fatalf("%q, %v", line, err)
		}
		cmds, ins, outs = append(cmds, cmd), append(ins, in), append(outs, out)
	}
	for _, in := range ins {
		fmt.Fprintln(in, "go")
	}
	if kill {
		time.Sleep(rateTime / 3) // in the middle of it, whenever that is
		if err := cmds[0].Process.Kill(); err != nil {
			t.Fatal(err)
		}
		a.ZeroColumn(0)
	}
	for i, out := range outs {
		data, err := io.ReadAll(out)
		if werr := cmds[i].Wait(); err != nil || werr != nil && (!kill || i > 0) {
			t.Fatal(err, werr)
		}
		for line := range strings.Lines(string(data)) {
			var e event
			if _, err := fmt.Sscan(line, &e.key, &e.before, &e.after); err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
	}
	return all
}

// excess is the most that was admitted too much for a key in any span of time.
//
// Spans begin before one event and end after another; a hundred events are looked at from each on, since later ones do not depend on it.
func excess(all []event, interval time.Duration, burst int) int {
	byKey := map[int][]event{}
	for _, e := range all {
		byKey[e.key] = append(byKey[e.key], e)
	}
	worst := 0
	for _, list := range byKey {
		slices.SortFunc(list, func(x, y event) int { return int(x.after - y.after) })
		for first := range list {
			n, from := 0, list[first].before
			for _, e := range list[max(0, first-64):min(len(list), first+100)] {
				if e.before < from {
					continue
				}
				n++
				worst = max(worst, n-burst-int((e.after-from)/int64(interval)))
			}
		}
	}
	return worst
}

func TestTheRateHoldsOverProcesses(t *testing.T) {
	for _, c := range []struct {
		name        string
		keys, rates int
		kill        bool
	}{
		{name: "one key", keys: 1, rates: DefaultRates},
		{name: "keys that take each other's places", keys: 40, rates: places},
		{name: "two windows", keys: 97, rates: 2 * places},
		{name: "one is killed", keys: 40, rates: places, kill: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := create(t, Options{Columns: 4, Rates: c.rates})
			all := raters(t, a, 4, c.keys, c.kill)
			if len(all) < 100 {
				t.Fatalf("only %d were admitted", len(all))
			}
			allowed := int(a.Evicted()) * rateBurst
			got := excess(all, rateInterval, rateBurst)
			t.Logf("%d admitted, %d evicted, excess %d", len(all), a.Evicted(), got)
			if got > allowed {
				t.Errorf("%d too many in some span, %d evicted", got, a.Evicted())
			}
			w, now := attach(t, a, 0), later() // all has run out, whoever died
			for key := range places {
				if got := admit(w, Key{uint64(key), 1}, time.Hour, 4, now, 9); c.rates > 4*places && got != 4 {
					t.Errorf("key %d: %d afterwards", key, got)
				}
			}
		})
	}
}

func TestExcessIsFound(t *testing.T) {
	at := func(times ...int64) (all []event) {
		for _, n := range times {
			all = append(all, event{0, n, n + 1})
		}
		return all
	}
	for want, all := range [][]event{at(0, 0, 100, 200), at(0, 0, 0, 100), at(500, 600, 600, 600, 600, 900)} {
		if got := excess(all, 100, 2); got != want {
			t.Errorf("%v: %d, want %d", all, got, want)
		}
	}
}

// twice puts a key into two places, as two processes may that do not find it at the same moment.
func twice(w *Arena, key Key, now int64, charged ...int64) []*place {
	id := w.parts()[0].id
	_, tag := key.place(id)
	var both []*place
	for i, c := range charged {
		p := &w.parts()[0].windows[0][i*3+1]
		p.state.Store(uint64(now+c)<<turnBits | 5)
		p.owner.Store(tag<<turnBits | 5)
		both = append(both, p)
	}
	return both
}

func TestAKeyWithTwoPlacesHasOneRate(t *testing.T) {
	for _, charged := range [][]int64{{0, 0}, {2e9, 0}, {0, 2e9}, {1e9, 2e9}, {5e8, 2e9}, {2e9, 5e8, 1e9}} {
		a := create(t, Options{Columns: 2, Rates: places})
		w, other := attach(t, a, 0), attach(t, a, 1)
		key, now := Key{8, 8}, later()
		twice(w, key, now, charged...)
		most := 4 - int((slices.Max(charged)+1e9-1)/1e9)
		if got := admit(w, key, time.Second, 4, now, 5) + admit(other, key, time.Second, 4, now, 5); got != most {
			t.Errorf("%v: %d, want %d", charged, got, most)
		}
		got := 0 // asked all the time, it comes to as many as ever
		for range 1000 {
			now += 1e7
			got += admit(w, key, time.Second, 4, now, 1)
		}
		if got < 9 || got > 11 {
			t.Errorf("%v: %d in ten seconds", charged, got)
		}
	}
}

func TestWhatWasMeantForTheKeyBeforeFails(t *testing.T) {
	a := create(t, Options{Columns: 1, Rates: places})
	w, now := attach(t, a, 0), later()
	old, next := Key{1, 1}, Key{2, 2}
	admit(w, old, time.Second, 2, now, 2)
	p := &w.parts()[0].windows[0][0]
	before := p.state.Load()
	now += 10e9
	for i := range places { // every place is taken, this one too
		admit(w, Key{next[0], uint64(i)}, time.Second, 2, now, 1)
	}
	if p.state.CompareAndSwap(before, before+1<<turnBits) {
		t.Error("a charge of the key before changed the place")
	}
	_, tag := old.place(w.parts()[0].id)
	if _, mine := p.of(tag); mine {
		t.Error("the place still is the key's before")
	}
}

func TestWhoTakesASecondPlaceIsToldByTheFirst(t *testing.T) {
	w, now, key := attach(t, create(t, Options{Columns: 1, Rates: places}), 0), later(), Key{1, 1}
	parts := w.parts()
	slow := ask{now: now, step: 1e9, span: 1e9}
	slow.hash, slow.tag = key.place(parts[0].id)
	var done charged
	if n, wait := slow.pass(parts, &done); n != 0 || wait != 0 {
		t.Fatal(n, wait)
	}
	if got := admit(w, key, time.Second, 1, now, 1); got != 1 { // while the other is stopped
		t.Fatal(got)
	}
	in, at := slow.claim(parts)
	done[in] |= 1 << at
	if _, wait := slow.pass(parts, &done); wait != time.Second {
		t.Errorf("it was told %v", wait)
	}
	if !slow.paid.back() || slow.paid.back() {
		t.Error("what it was charged goes back once")
	}
	if got := admit(w, key, time.Second, 1, now+1e9, 3); got != 1 {
		t.Errorf("%d a second later", got)
	}
}

// A process may die between the two words.
func TestAPlaceThatIsHalfTakenBelongsToNobody(t *testing.T) {
	a := create(t, Options{Columns: 1, Rates: places})
	w, now := attach(t, a, 0), later()
	old := Key{1, 1}
	admit(w, old, time.Second, 2, now, 2)
	p := &w.parts()[0].windows[0][0]
	now += 10e9
	turn := (p.state.Load() + 1) & turnMask
	p.state.Store(uint64(now+1e9)<<turnBits | turn)
	if got := admit(w, old, time.Second, 2, now, 9); got != 2 {
		t.Errorf("the key before: %d", got)
	}
	if p.state.Load() != uint64(now+1e9)<<turnBits|turn {
		t.Error("what is nobody's was charged")
	}
	for i := range uint64(places - 2) {
		admit(w, Key{i, 2}, time.Second, 2, now, 2)
	}
	now += 1e9 + grace // its time is past, that of the others is not
	if got := admit(w, Key{9, 9}, time.Second, 2, now, 9); got != 2 || a.Evicted() != 0 {
		t.Errorf("%d, %d evicted: it was not taken", got, a.Evicted())
	}
	if p.owner.Load()&turnMask != p.state.Load()&turnMask {
		t.Error("it still is nobody's")
	}
}

// Whoever is stopped between the halves of a claim finds the place taken, however the other goes on.
func TestHalvesOfTwoClaimsDoNotMix(t *testing.T) {
	for name, order := range map[string]string{"the first goes on first": "1 2", "the second goes on first": "2 1"} {
		var w place
		asks := map[string]*ask{"1": {tag: 1, now: 100, step: 10}, "2": {tag: 2, now: 200, step: 10}}
		turns := map[string]uint64{}
		for _, n := range []string{"1", "2"} {
			turn, ok := w.take(asks[n], w.state.Load())
			if !ok {
				t.Fatal("not taken")
			}
			turns[n] = turn
		}
		if _, ok := w.take(asks["1"], turns["1"]); ok {
			t.Error("taken by who saw what it was before")
		}
		for _, n := range strings.Fields(order) {
			own := w.own(asks[n], 0, turns[n])
			if _, mine := w.of(asks[n].tag); mine != own {
				t.Errorf("%s: %s is told %v, and it is %v", name, n, own, mine)
			}
			if own != (n == "2" && order == "2 1") {
				t.Errorf("%s: %s: %v", name, n, own)
			}
		}
	}
}

// Goroutines of one process, for the race detector: a burst is admitted once, however many find no place of the key at first.
func TestNewKeysAreRacedFor(t *testing.T) {
	a := create(t, Options{Columns: 2, Rates: places})
	one, two := attach(t, a, 0), attach(t, a, 1)
	const rounds = 40_000
	begin := later()
	var came atomic.Int64 // to the rounds so far: both begin one at the same moment, as far as they run at all
	var got [rounds]atomic.Int32
	var wg sync.WaitGroup
	for _, w := range []*Arena{one, two} {
		wg.Go(func() {
			for round := range int64(rounds) {
				for came.Add(1); came.Load() < 2*(round+1); {
					runtime.Gosched()
				}
				got[round].Add(int32(admit(w, Key{uint64(round), 3}, time.Second, 1, begin+round*time.Minute.Nanoseconds(), 1)))
			}
		})
	}
	wg.Wait()
	none := 0
	for round := range got {
		switch n := got[round].Load(); {
		case n > 1:
			t.Fatalf("round %d: %d admitted", round, n)
		case n == 0: // each saw the other's place
			none++
		}
	}
	t.Logf("nobody was admitted in %d of %d rounds", none, rounds)
	if none > rounds/100 {
		t.Error("too many lose to nobody")
	}
	if a.Evicted() != 0 {
		t.Errorf("%d evicted", a.Evicted())
	}
}

// FuzzPlaces: whatever is in a window and whatever is asked, the answer is bounded, and nobody gets more than a burst at once.
func FuzzPlaces(f *testing.F) {
	f.Add([]byte{}, int64(1e9), 5)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), int64(1), 1)
	a, err := Create(Options{Columns: 1, Rates: places})
	if err != nil {
		f.Fatal(err)
	}
	a.column = 0
	f.Fuzz(func(t *testing.T, data []byte, interval int64, burst int) {
		w := &a.parts()[0].windows[0]
		for i := range w {
			var words [16]byte
			copy(words[:], data[min(len(data), i*16):])
			w[i].owner.Store(binary.LittleEndian.Uint64(words[:]))
			w[i].state.Store(binary.LittleEndian.Uint64(words[8:]))
		}
		interval, burst = max(interval, 1), min(max(burst, 1), 50)
		now := later()
		got := 0
		for range burst + 5 {
			ok, wait, _ := a.Allow(Key{1, 2}, time.Duration(interval), burst, now)
			if wait < 0 || wait > time.Duration(min(interval, maxSpan)) || ok != (wait == 0) {
				t.Fatalf("%v, %v", ok, wait)
			}
			if ok {
				got++
			}
		}
		if got > burst {
			t.Fatalf("%d of %d", got, burst)
		}
	})
}
