package tally

import (
	"sync"
	"testing"
	"time"

	"pingap/arena"
)

func TestTheNewestExemplarOfAllProcessesIsRead(t *testing.T) {
	of, reader := columns(t, 2)
	k := Key{LocationBlock, "server", "location"}
	if _, ok := ReadExemplar(reader, k, ResponseTime); ok {
		t.Error("there is one before anybody left one")
	}
	at := time.UnixMilli(1_700_000_000_000)
	for i, a := range of {
		b, err := Open(a, k)
		if err != nil {
			t.Fatal(err)
		}
		b.Add(Requests, 1)
		if _, ok := ReadExemplar(reader, k, ResponseTime); ok != (i > 0) {
			t.Error("words that nobody has written are one")
		}
		b.Exemplify(ResponseTime, Exemplar{Trace: [2]uint64{1 << 63, uint64(i)}, Value: 5, At: at.Add(-time.Duration(i) * time.Second)})
		b.Exemplify(Requests, Exemplar{Trace: [2]uint64{9, 9}}) // has none
	}
	if e, ok := ReadExemplar(reader, k, ResponseTime); !ok || e.Trace != [2]uint64{1 << 63, 0} || e.Value != 5 || !e.At.Equal(at) {
		t.Errorf("%+v, %v", e, ok)
	}
	if got, _ := Read(reader, k, nil); got[Families()[Requests].At] != 2 {
		t.Errorf("totals are changed: %v", got)
	}
	var none *Block
	none.Exemplify(ResponseTime, Exemplar{})
}

func TestAnExemplarIsWholeOrNone(t *testing.T) {
	of, reader := columns(t, 1)
	k := Key{LocationBlock, "server", "location"}
	b, err := Open(of[0], k)
	if err != nil {
		t.Fatal(err)
	}
	one := func(n uint64) Exemplar {
		return Exemplar{Trace: [2]uint64{n, n}, Value: int64(n), At: time.UnixMilli(int64(n))}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range uint64(3) {
		wg.Go(func() {
			for n := w + 1; ; n += 3 {
				select {
				case <-stop:
					return
				default:
					b.Exemplify(ResponseTime, one(n))
				}
			}
		})
	}
	seen := 0
	for deadline := time.Now().Add(20 * time.Second); seen < 1000 && time.Now().Before(deadline); {
		e, ok := ReadExemplar(reader, k, ResponseTime)
		if !ok {
			continue
		}
		if seen++; e.Trace[0] != e.Trace[1] || uint64(e.Value) != e.Trace[0] || e.At.UnixMilli() != e.Value {
			t.Fatalf("torn: %+v", e)
		}
	}
	close(stop)
	wg.Wait()
	if seen == 0 {
		t.Error("none was seen")
	}
}

func TestLeavingAnExemplarAllocatesNothing(t *testing.T) {
	of, _ := columns(t, 1)
	k := Key{LocationBlock, "server", "location"}
	b, err := Open(of[0], k)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	if n := testing.AllocsPerRun(100, func() { b.Exemplify(ResponseTime, Exemplar{Trace: [2]uint64{1, 2}, Value: 3, At: at}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for i := range Families() {
		if f := &Families()[i]; f.ExemplarAt+exemplarWords > arena.TotalWords {
			t.Errorf("%s has no room", f.Name)
		}
	}
}
