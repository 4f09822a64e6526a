package arena

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func dup(t *testing.T, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamesThatFindNoPlaceAreInTheNextPart(t *testing.T) {
	a := create(t, Options{Columns: 2, Rows: 8})
	one := attach(t, a, 0)
	early := counter(t, one, "0")
	for i := range 8 {
		counter(t, one, fmt.Sprint(i)).Add(1)
	}
	if _, err := one.Counter("late"); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if got := a.FreeCounters(); got != 0 {
		t.Errorf("%d free, all are taken", got)
	}
	if err := a.Grow(1, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := one.AddPart(dup(t, a.Parts()[0])); err != nil {
		t.Fatal(err)
	}
	two := attach(t, a, 1)
	counter(t, one, "late").Add(2)
	counter(t, two, "late").Add(3)
	for name, want := range map[string]int64{"late": 5, "0": 1, "7": 1} {
		if got := counter(t, attach(t, a, ReadOnly), name).Load(); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if early.Load() != 1 {
		t.Errorf("a counter from before the growth: %d", early.Load())
	}
	a.ZeroColumn(0)
	if got := counter(t, two, "late").Load(); got != 3 {
		t.Errorf("%d after one column was zeroed in all parts, want 3", got)
	}
}

// Up to what FreeCounters says, every name finds room, although names are looked for near their hash only.
func TestThereIsRoomForAsManyNamesAsAreSaidToBeFree(t *testing.T) {
	a := create(t, Options{Columns: 1, Rows: 1 << 14})
	w := attach(t, a, 0)
	for n := 0; ; n++ {
		free := a.FreeCounters()
		if want := 1<<14 - 1<<11 - n*1024; free != max(want, 0) {
			t.Fatalf("%d are free after %d names, want %d", free, n*1024, want)
		}
		if free == 0 {
			return
		}
		for i := range 1024 {
			counter(t, w, fmt.Sprintf("location/%d-%d/processing", n, i))
		}
	}
}

func TestCountingWhatIsFreeUsesNoMemory(t *testing.T) {
	a := create(t, Options{})
	before := pagesOf(t, a)
	if got := a.FreeCounters(); got != DefaultRows-DefaultRows/8 {
		t.Errorf("%d free", got)
	}
	for range a.IDs() {
		t.Error("a new arena has records")
	}
	if got := pagesOf(t, a); got != before || got > 16 {
		t.Errorf("%d blocks of memory, before %d", got, before)
	}
}

func pagesOf(t *testing.T, a *Arena) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(a.FD(), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}

func TestGrowthIsBoundedAndLasts(t *testing.T) {
	a := create(t, Options{Columns: 2, Rows: 8, Records: 8})
	for n := range MaxParts {
		before := a.Records()
		if err := a.Grow(1<<62, -1, 0); err != nil {
			t.Fatalf("part %d: %v", n+1, err)
		}
		if got := a.Records() - before; got < min(before, MaxRecords) || got < DefaultRecords || got > MaxRecords {
			t.Errorf("part %d has %d records beside %d", n+1, got, before)
		}
	}
	if err := a.Grow(1, 1, 0); !errors.Is(err, ErrParts) {
		t.Errorf("one more: %v", err)
	}
	w := attach(t, a, 0)
	claim(t, a, a.Records(), 3)
	if len(w.Parts()) != MaxParts || w.Record(a.Records(), 3) == nil {
		t.Errorf("a fresh process has %d parts", len(w.Parts()))
	}
}

func TestOnlyTheRightPartIsAdded(t *testing.T) {
	a, other := grown(t), grown(t)
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	h := a.parts()[1].header
	twin := memfd(t, append(h.encode(), make([]byte, h.total()-headerSize)...), unix.F_SEAL_SHRINK)
	defer unix.Close(twin)
	again, err := createPart(h)
	if err != nil {
		t.Fatal(err)
	}
	h.columns++
	wider, err := createPart(newHeader(h.id, 1, h.columns, Options{Rows: 8, Records: 8, Rates: 8, Holds: 8}))
	if err != nil {
		t.Fatal(err)
	}
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	w, err := Map(dup(t, a.FD()), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	before := open()
	for name, fd := range map[string]int{
		"a part before its time": dup(t, a.Parts()[1]), "of another arena": dup(t, other.Parts()[0]), "another first": dup(t, other.FD()),
		"other columns": wider, "no memfd": dup(t, 0), "not sealed": dup(t, twin),
	} {
		if err := w.AddPart(fd); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := open(); got != before-1 { // wider was open before
		t.Errorf("%d descriptors, before %d", got, before)
	}
	for range 2 { // twice is as well
		if err := w.AddPart(dup(t, a.Parts()[0])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.AddPart(dup(t, a.FD())); err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := w.AddPart(again); !errors.Is(err, ErrLayout) {
		t.Errorf("another one in place of a part: %v", err)
	}
	if got := open(); got != before-1 { // one part more, and again less
		t.Errorf("%d descriptors at the end, before %d", got, before)
	}
	if len(w.Parts()) != 1 {
		t.Errorf("%d parts", len(w.Parts()))
	}
}

// FuzzHeader: whatever the first page says, what is believed of it lies within the memory.
func FuzzHeader(f *testing.F) {
	h := newHeader(7, 1, 2, Options{Rows: 8, Records: 4, Rates: 16, Holds: 16})
	f.Add(h.encode()[:segmentAt+5*segmentSize], int64(h.total()))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		b := make([]byte, headerSize)
		copy(b, data)
		h, err := decodeHeader(b, size)
		if err != nil {
			return
		}
		for _, s := range []*segment{&h.counters, &h.records, &h.rates, &h.holds} {
			if s.rows < 1 || s.offset < headerSize || s.offset%pageSize != 0 || int64(s.offset+s.size(h.columns)) > size || h.columns < 1 || h.columns > MaxColumns {
				t.Fatalf("%+v in %d bytes", h, size)
			}
		}
	})
}

func BenchmarkFreeCounters(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	a.column = 0
	for i := range 40_000 {
		if _, err := a.Counter(fmt.Sprint(i)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		a.FreeCounters()
	}
}

func BenchmarkCounterInTheLastPart(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	a.column = 0
	for n := range 3 {
		for i := range 60_000 {
			if _, err := a.Counter(fmt.Sprint(n, i)); err != nil {
				if err := a.Grow(0, 0, 0); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	if _, err := a.Counter("x"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Counter("x"); err != nil {
			b.Fatal(err)
		}
	}
}
