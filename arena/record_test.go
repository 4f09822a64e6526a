package arena

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

func record(t *testing.T, a *Arena, row int, id uint64) *Record {
	t.Helper()
	r := a.Record(row, id)
	if r == nil {
		t.Fatalf("no record %d with id %d", row, id)
	}
	return r
}

func claim(t *testing.T, a *Arena, row int, id uint64) {
	t.Helper()
	if err := a.Claim(row, id); err != nil {
		t.Fatal(err)
	}
}

// grown is an arena with a part beside the first; rows are 1 to 8 and 9 on.
func grown(t *testing.T) *Arena {
	t.Helper()
	a := create(t, Options{Columns: 4, Rows: 8, Records: 8})
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestARecordIsSeenByWhoKnowsRowAndID(t *testing.T) {
	a := grown(t)
	one, two := attach(t, a, 0), attach(t, a, 1)
	for _, row := range []int{1, 8, 9, a.Records()} {
		claim(t, a, row, 70+uint64(row))
		mine := record(t, one, row, 70+uint64(row))
		mine.Word(0).Add(2)
		mine.Word(Words - 1).Store(math.MaxUint64)
		other := record(t, two, row, 70+uint64(row))
		if other.Word(0).Load() != 2 || other.Word(Words-1).Load() != math.MaxUint64 || !other.Valid() {
			t.Errorf("row %d: %d, %d", row, other.Word(0).Load(), other.Word(Words-1).Load())
		}
		if two.Record(row, 69) != nil {
			t.Errorf("row %d was given to who knows another id", row)
		}
	}
	for _, row := range []int{math.MinInt, -1, 0, 2, a.Records() + 1, math.MaxInt} {
		if one.Record(row, 0) != nil || one.Record(row, 1) != nil {
			t.Errorf("row %d: there is nothing", row)
		}
	}
}

func TestWhatTwoRowsHoldDoesNotMix(t *testing.T) {
	a := grown(t)
	w := attach(t, a, 2)
	for row := 1; row <= 16; row++ {
		claim(t, a, row, uint64(row))
		r := record(t, w, row, uint64(row))
		r.Held().Add(int64(row))
		for i := range Words {
			r.Word(i).Store(uint64(row*100 + i))
		}
	}
	reader := attach(t, a, ReadOnly)
	for row := 1; row <= 16; row++ {
		r := record(t, reader, row, uint64(row))
		for i := range Words {
			if got := r.Word(i).Load(); got != uint64(row*100+i) {
				t.Errorf("row %d, word %d: %d", row, i, got)
			}
		}
		if got := r.Held().Load(); got != int64(row) {
			t.Errorf("row %d holds %d", row, got)
		}
	}
}

func TestARowIsGivenToOneAndBeginsAtZero(t *testing.T) {
	a := grown(t)
	w := attach(t, a, 0)
	for _, row := range []int{3, 12} {
		claim(t, a, row, 5)
		r := record(t, w, row, 5)
		r.Word(3).Store(9)
		r.Held().Add(2)
		if err := a.Claim(row, 6); !errors.Is(err, ErrTaken) {
			t.Errorf("claimed twice: %v", err)
		}
		a.Free(row)
		if r.Valid() || a.Record(row, 5) != nil {
			t.Error("a row that was freed still belongs to somebody")
		}
		claim(t, a, row, 6)
		if r.Valid() || record(t, w, row, 6).Word(3).Load() != 0 {
			t.Error("the next one finds words of the one before")
		}
		r.Held().Add(-2) // what was in flight ends
		if got := record(t, w, row, 6).Held().Load(); got != 0 {
			t.Errorf("the next one holds %d", got)
		}
	}
	for _, c := range []struct {
		row int
		id  uint64
	}{{0, 1}, {-1, 1}, {a.Records() + 1, 1}, {1, 0}} {
		if err := a.Claim(c.row, c.id); !errors.Is(err, ErrNoRow) {
			t.Errorf("row %d, id %d: %v", c.row, c.id, err)
		}
		a.Free(c.row)
	}
	if err := attach(t, a, ReadOnly).Claim(1, 1); !errors.Is(err, ErrNoRow) {
		t.Errorf("in a mapping that only reads: %v", err)
	}
}

func TestIDsAreFoundInAllParts(t *testing.T) {
	a := create(t, Options{Columns: 1, Rows: 8}) // many pages of records
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	want := map[int]uint64{}
	for _, row := range []int{1, 33, 4096, 5000, DefaultRecords, DefaultRecords + 1, a.Records()} {
		want[row] = rand.Uint64() | 1
		claim(t, a, row, want[row])
	}
	if got := maps.Collect(a.IDs()); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	n := 0
	for range a.IDs() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d after a break at 2", n)
	}
}

func TestHeldIsExactOverProcesses(t *testing.T) {
	a := grown(t)
	one, two := attach(t, a, 0), attach(t, a, 1)
	for _, row := range []int{2, 9} {
		claim(t, a, row, 4)
		x, y := record(t, one, row, 4).Held(), record(t, two, row, 4).Held()
		if !x.Acquire(3) || !y.Acquire(3) || !x.Acquire(3) || y.Acquire(3) || y.Load() != 3 {
			t.Errorf("row %d: %d", row, y.Load())
		}
		if c := record(t, a, row, 4).Held(); c.Acquire(100) || c.Load() != 3 {
			t.Errorf("who gives records away counts: %d", c.Load())
		}
		a.ZeroColumn(0) // both of its parts
		if got := y.Load(); got != 1 {
			t.Errorf("row %d after the end of one: %d", row, got)
		}
	}
}

func TestARecordOfOrdinaryMemoryIsLikeAnyOther(t *testing.T) {
	r, other := NewRecord(), NewRecord()
	r.Word(2).Add(3)
	if !r.Valid() || r.Word(2).Load() != 3 || other.Word(2).Load() != 0 {
		t.Error("words")
	}
	if h := r.Held(); !h.Acquire(1) || h.Acquire(1) || h.Load() != 1 || other.Held().Load() != 0 {
		t.Error("held")
	}
	r.Held().Release()
	if got := r.Held().Load(); got != 0 {
		t.Errorf("%d held", got)
	}
}

// Whatever a worker writes wherever, others read figures, and neither panic nor wait.
func TestRubbishInEveryWordCrashesNobody(t *testing.T) {
	a := grown(t)
	w := attach(t, a, 1)
	claim(t, a, 1, 1)
	claim(t, a, 9, 1)
	held := []*Record{record(t, w, 1, 1), record(t, w, 9, 1)}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		for _, p := range w.parts() {
			fill := p.mem
			if len(fill) > 1<<20 {
				fill = p.mem[:1<<20]
			}
			for i := range fill {
				switch round % 4 {
				case 0:
					fill[i] = byte(random.Uint32())
				case 1:
					fill[i] = 0xff
				case 2:
					fill[i] = 0x80
				case 3:
					fill[i] = 0
				}
			}
		}
		for _, r := range held {
			r.Valid()
			r.Word(7).Add(1)
			if r.Held().Acquire(3) {
				r.Held().Release()
			}
		}
		for row := range 40 {
			a.Record(row, 1)
			if a.Claim(row, uint64(round)) == nil {
				a.Free(row)
			}
		}
		for row, id := range a.IDs() {
			if a.Record(row, id) == nil {
				t.Fatalf("row %d, id %d is said to be and is not", row, id)
			}
		}
		if free := a.FreeCounters(); free < 0 || free > 8+DefaultRows {
			t.Fatalf("%d free", free)
		}
		if _, err := w.Counter("x"); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		a.ZeroColumn(round % a.Columns())
	}
}

func TestFreshProcessesMapAnArenaThatSomebodyWroteOver(t *testing.T) {
	a := grown(t)
	claim(t, a, 9, 3)
	w := attach(t, a, 1)
	for _, p := range w.parts() {
		clear(p.mem[:headerSize])
	}
	if b, err := Map(dup(t, a.FD()), 0); !errors.Is(err, ErrLayout) {
		t.Fatalf("%v, %v", b, err)
	}
	a.Mend()
	if got := attach(t, a, 0); got.Record(9, 3) == nil {
		t.Error("the record is lost")
	}
}

// Parts come and go into mappings while other goroutines count; for the race detector.
func TestGrowthDisturbsNobody(t *testing.T) {
	a := create(t, Options{Columns: 2, Rows: 8, Records: 8})
	w := attach(t, a, 0)
	claim(t, a, 1, 1)
	r, c := record(t, w, 1, 1), counter(t, w, "x")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c.Acquire(2) {
					c.Release()
				}
				if r.Held().Acquire(2) {
					r.Held().Release()
				}
				w.Record(w.Records(), 1)
				w.Records()
				if n == 0 {
					_, _ = w.Counter("x")
				}
			}
		})
	}
	for range 3 {
		if err := a.Grow(0, 0, 0); err != nil {
			t.Fatal(err)
		}
		parts := a.Parts()
		if err := w.AddPart(dup(t, parts[len(parts)-1])); err != nil {
			t.Fatal(err)
		}
		a.ZeroColumn(1)
	}
	close(stop)
	wg.Wait()
	if c.Load() != 0 || r.Held().Load() != 0 || w.Records() != a.Records() {
		t.Errorf("%d, %d, %d rows of %d", c.Load(), r.Held().Load(), w.Records(), a.Records())
	}
}

func BenchmarkHeld(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	a.column = 0 // as a worker
	if err := a.Claim(1, 1); err != nil {
		b.Fatal(err)
	}
	r := a.Record(1, 1)
	for name, do := range map[string]func(){
		"add":     func() { r.Held().Add(1); r.Held().Add(-1) },
		"acquire": func() { r.Held().Acquire(10); r.Held().Release() },
		"load":    func() { r.Held().Load() },
		"valid":   func() { r.Valid() },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}
