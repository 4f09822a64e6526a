package arena

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

func total(t testing.TB, a *Arena, name string) *Total {
	t.Helper()
	got, err := a.Total([]byte(name))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// sum is a word of a name over all processes, -1 if nobody has added to any.
func sum(a *Arena, name string, word int) int64 {
	words, ok := a.ReadTotal([]byte(name), nil)
	if !ok {
		return -1
	}
	return words[word]
}

func TestTotalsOutliveTheProcessesThatCounted(t *testing.T) {
	a := create(t, Options{Columns: 3})
	first, reader := attach(t, a, 0), attach(t, a, ReadOnly)
	total(t, first, "x").Add(7, 5)
	counter(t, first, "x").Add(5)
	a.ZeroColumn(0)
	if got := sum(reader, "x", 7); got != 5 {
		t.Errorf("%d after the column was zeroed, want 5", got)
	}
	if got := counter(t, reader, "x").Load(); got != 0 {
		t.Errorf("a counter has %d left", got)
	}
	total(t, attach(t, a, 0), "x").Add(7, 2) // who has the column next
	total(t, attach(t, a, 1), "x").Add(7, 4)
	if got := sum(a, "x", 7); got != 11 {
		t.Errorf("%d, want 11", got)
	}
}

func TestATotalIsThereOnceSomebodyAdds(t *testing.T) {
	a := create(t, Options{Columns: 2})
	w := attach(t, a, 1)
	x := total(t, w, "x")
	if got := sum(a, "x", 0); got != -1 {
		t.Errorf("%d before anybody added", got)
	}
	if x.Add(0, -1); sum(a, "x", 0) != -1 {
		t.Error("less than nothing was added")
	}
	if x.Add(TotalWords-1, 0); sum(a, "x", TotalWords-1) != 0 {
		t.Error("nothing is no figure")
	}
	if got := sum(a, "y", 0); got != -1 {
		t.Errorf("%d of a name that nobody has", got)
	}
	if _, err := a.Total([]byte("x")); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a process without a column: %v", err)
	}
}

func TestRubbishInTotalsIsBounded(t *testing.T) {
	a := create(t, Options{Columns: 3})
	for column, v := range []int64{math.MinInt64, 9, math.MaxInt64} {
		x := total(t, attach(t, a, column), "x")
		x.Add(1, 1)
		x.own[1] = v
		*x.mask = math.MaxUint64
	}
	if got := sum(a, "x", 1); got != math.MaxInt64 {
		t.Errorf("%d, want the most", got)
	}
}

func TestTotalsGoOnInFurtherParts(t *testing.T) {
	a := create(t, Options{Columns: 2, Totals: 8})
	w := attach(t, a, 0)
	for i := range 8 {
		total(t, w, fmt.Sprint(i)).Add(0, 1)
	}
	if _, err := w.Total([]byte("8")); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	if got := a.FreeTotals(); got != 0 {
		t.Errorf("%d are free", got)
	}
	if err := a.Grow(0, 0, 1500); err != nil {
		t.Fatal(err)
	}
	if got := a.FreeTotals(); got < 1500 {
		t.Errorf("%d are free after growing for 1500", got)
	}
	addLast(t, w, a)
	for i := range 1500 {
		total(t, w, fmt.Sprint(i)).Add(0, 1)
	}
	for i := range 1500 {
		want := int64(1)
		if i < 8 {
			want = 2
		}
		if got := sum(a, fmt.Sprint(i), 0); got != want {
			t.Fatalf("name %d: %d, want %d", i, got, want)
		}
	}
}

// addLast maps the last part of one arena in another process's.
func addLast(t *testing.T, w, a *Arena) {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(a.Parts()[len(a.Parts())-1]), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = w.AddPart(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTotalsHaveNoMemoryBeforeSomebodyAdds(t *testing.T) {
	a := create(t, Options{Totals: MaxTotals})
	w := attach(t, a, 3)
	used := func() int64 {
		var st unix.Stat_t
		if err := unix.Fstat(a.FD(), &st); err != nil {
			t.Fatal(err)
		}
		return st.Blocks * 512
	}
	for i := range 100 {
		total(t, w, fmt.Sprint(i))
	}
	named := used()
	for i := range 100 {
		sum(a, fmt.Sprint(i), 0)
	}
	a.FreeTotals()
	if got := used(); got != named {
		t.Errorf("reading took %d bytes", got-named)
	}
	total(t, w, "1").Add(0, 1)
	if got := used(); got > named+2*pageSize {
		t.Errorf("adding took %d bytes", got-named)
	}
}

func TestAddingAndReadingTotalsAllocateNothing(t *testing.T) {
	a := create(t, Options{})
	x := total(t, attach(t, a, 0), "x")
	name, dst := []byte("x"), make([]int64, 0, TotalWords)
	if n := testing.AllocsPerRun(100, func() {
		x.Add(3, 1)
		if got, _ := a.ReadTotal(name, dst); got[3] == 0 {
			t.Error("not seen")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReadTotal(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	for column := range 4 {
		fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		w, err := Map(fd, column)
		if err != nil {
			b.Fatal(err)
		}
		defer w.Close()
		total(b, w, "x").Add(0, 1)
	}
	name, dst := []byte("x"), make([]int64, 0, TotalWords)
	b.ReportAllocs()
	for b.Loop() {
		a.ReadTotal(name, dst)
	}
}
