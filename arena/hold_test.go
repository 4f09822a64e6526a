package arena

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestHoldsCountByKeyOverColumns(t *testing.T) {
	a := create(t, Options{Columns: 3})
	one, two := attach(t, a, 0), attach(t, a, 1)
	x, y := Key{1, 1}, Key{1, 2}
	var all []Hold
	for i, w := range []*Arena{one, two, one, two} {
		h, held, ok := w.Acquire(x, 3)
		if want := i < 3; ok != want || held != int64(min(i+1, 3)) {
			t.Errorf("%d: %v, %d", i, ok, held)
		}
		all = append(all, h)
	}
	if _, held, ok := two.Acquire(y, 1); !ok || held != 1 {
		t.Errorf("another key: %v, %d", ok, held)
	}
	all[1].Release()
	if _, held, ok := one.Acquire(x, 3); !ok || held != 3 {
		t.Errorf("after one was given back: %v, %d", ok, held)
	}
	all[3].Release() // was refused, and holds nothing
	if got := heldOf(one, x); got != 3 {
		t.Errorf("%d", got)
	}
}

func TestOddLimitsOfHolds(t *testing.T) {
	a := create(t, Options{})
	w := attach(t, a, 0)
	for limit, want := range map[int64]bool{math.MinInt64: false, -1: false, 0: false, 1: true, math.MaxInt64: true} {
		if h, _, ok := w.Acquire(Key{3, 3}, limit); ok != want {
			t.Errorf("%d: %v", limit, ok)
		} else {
			h.Release()
		}
	}
	if _, _, ok := attach(t, a, ReadOnly).Acquire(Key{3, 3}, 5); ok {
		t.Error("a process that only reads holds")
	}
}

func TestOneKeyMayBeHeldMoreOftenThanACellCounts(t *testing.T) {
	w, key := attach(t, create(t, Options{Columns: 1}), 0), Key{4, 4}
	first, _, _ := w.Acquire(key, 1)
	first.cell.Add(countMask - 2) // as if so many were held
	const n = countMask + 3
	var all []Hold
	for i := countMask; i <= n; i++ {
		h, held, ok := w.Acquire(key, n)
		if !ok || held != int64(i) {
			t.Fatalf("%d: %v, %d", i, ok, held)
		}
		all = append(all, h)
	}
	if _, held, ok := w.Acquire(key, n); ok || held != n {
		t.Errorf("%v, %d", ok, held)
	}
	for _, h := range all {
		h.Release()
	}
	if got := heldOf(w, key); got != countMask-1 || w.Unheld() != 0 {
		t.Errorf("%d left, %d not counted", got, w.Unheld())
	}
}

// One window has eight places in each process. What finds none is admitted and counted, until there is another part that all know of.
func TestKeysWithoutRoomAreAdmittedAndCounted(t *testing.T) {
	a := create(t, Options{Columns: 2, Holds: places})
	w, other := attach(t, a, 0), attach(t, a, 1)
	for i := range uint64(places) {
		if h, _, _ := w.Acquire(Key{i, 6}, 1); h.cell == nil {
			t.Fatal("no room")
		}
	}
	ninth := Key{places, 6}
	if h, held, ok := w.Acquire(ninth, 1); !ok || held != 1 || h.cell != nil || a.Unheld() != 1 {
		t.Errorf("%v, %d, %d not counted", ok, held, a.Unheld())
	}
	h, _, ok := other.Acquire(ninth, 1)
	if !ok {
		t.Error("the other has room of its own")
	}
	if _, held, ok := w.Acquire(ninth, 1); ok || held != 1 || a.Unheld() != 1 {
		t.Errorf("%v, %d: what others hold counts without room, too", ok, held)
	}
	h.Release()
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	for _, each := range []*Arena{w, other} {
		if err := each.AddPart(dup(t, a.Parts()[0])); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, ok := w.Acquire(ninth, 1); !ok || a.Unheld() != 2 {
		t.Errorf("a part that not all may know of: %v, %d", ok, a.Unheld())
	}
	w.parts()[1].opens = Now()
	h, held, ok := w.Acquire(ninth, 1)
	if !ok || held != 1 || h.cell == nil || a.Unheld() != 2 {
		t.Errorf("in the next part: %v, %d, %d", ok, held, a.Unheld())
	}
	if _, _, ok := other.Acquire(ninth, 1); ok {
		t.Error("the other does not see it")
	}
	a.ZeroColumn(0)
	if got := heldOf(other, ninth); got != 0 {
		t.Errorf("%d of a dead process in the second part", got)
	}
}

func TestHoldingAllocatesNothing(t *testing.T) {
	w := attach(t, create(t, Options{}), 0)
	if got := testing.AllocsPerRun(1000, func() {
		h, _, _ := w.Acquire(Key{1, 1}, 5)
		h.Release()
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestAHoldReleasesNothingOfOthers(t *testing.T) {
	w := attach(t, create(t, Options{Columns: 1, Holds: places}), 0)
	h, _, _ := w.Acquire(Key{1, 1}, 5)
	for _, rubbish := range []uint64{0, 7<<countBits | 3, h.tag << countBits, math.MaxUint64} {
		h.cell.Store(rubbish)
		h.Release()
		if got := h.cell.Load(); got != rubbish {
			t.Errorf("%x became %x", rubbish, got)
		}
	}
}

// FuzzHolds: whatever is in a window, the answer is bounded, and nothing crashes.
func FuzzHolds(f *testing.F) {
	f.Add([]byte{}, uint64(0), int64(1))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), uint64(math.MaxUint64), int64(3))
	a, err := Create(Options{Columns: 2, Holds: places})
	if err != nil {
		f.Fatal(err)
	}
	a.column = 0
	f.Fuzz(func(t *testing.T, data []byte, mask uint64, limit int64) {
		p := a.parts()[0]
		p.masks[0].Store(mask)
		for i := range 2 * places {
			var word [8]byte
			copy(word[:], data[min(len(data), i*8):])
			p.lines[i/places][0][i%places].Store(binary.LittleEndian.Uint64(word[:]))
		}
		before := heldOf(a, Key{1, 2})
		h, held, ok := a.Acquire(Key{1, 2}, limit)
		if ok && held > limit || held < 0 || held > 2*places*countMask+1 {
			t.Fatalf("%v, %d of %d", ok, held, limit)
		}
		h.Release()
		if after := heldOf(a, Key{1, 2}); mask&1 != 0 && after != before {
			t.Fatalf("%d before, %d after", before, after)
		}
	})
}

func BenchmarkHold(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	a.column = 0
	for i := uint64(0); b.Loop(); i++ {
		h, _, _ := a.Acquire(Key{i % 1000, 1}, 5)
		h.Release()
	}
}
