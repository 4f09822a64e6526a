package tally

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/arena"
)

// columns maps one arena for so many processes, and for one that only reads.
func columns(t testing.TB, n int) (of []*arena.Arena, reader *arena.Arena) {
	t.Helper()
	a, err := arena.Create(arena.Options{Columns: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for c := arena.ReadOnly; c < n; c++ {
		fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := arena.Map(fd, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		of = append(of, m)
	}
	return of[1:], of[0]
}

func TestNoWordOfABlockHasTwoMeanings(t *testing.T) {
	type word struct {
		kind Kind
		at   int
	}
	of := map[word]string{}
	take := func(f *Family, at, n int) {
		for i := at; i < at+n; i++ {
			if other := of[word{f.Kind, i}]; other != "" {
				t.Errorf("word %d of kind %d is of %s and %s", i, f.Kind, other, f.Name)
			}
			if of[word{f.Kind, i}] = f.Name; i >= arena.TotalWords {
				t.Errorf("word %d of %s is none of a block", i, f.Name)
			}
		}
	}
	for i := range Families() {
		f := &Families()[i]
		if f.Name == "" || f.Help == "" || f.Kind == 0 || f.Type == 0 {
			t.Errorf("family %d is incomplete: %+v", i, f)
		}
		if ID(i) == ReceivedBytes || ID(i) == SentBytes {
			if other := &Families()[i-1]; f.At != other.At+other.Words()-1 {
				t.Errorf("%s is not the sum of %s", f.Name, other.Name)
			}
			continue
		}
		if take(f, f.At, f.Words()); f.Native {
			take(f, f.NativeAt, NativeWords)
		}
	}
}

func TestValuesComeIntoTheBucketsThatPrometheusMeans(t *testing.T) {
	of, _ := columns(t, 1)
	for _, v := range []int64{0, 1, 4999999, 5000000, 5000001, 61035, 61036, 1e9, 1e9 + 1, 10e9, 10e9 + 1, 128e9, 128e9 + 1, math.MaxInt64 / 2} {
		k := Key{LocationBlock, "s", string(rune('a' + v%26))}
		b, err := Open(of[0], k)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := Read(of[0], k, nil)
		before = append(before, make([]int64, arena.TotalWords)...)
		b.Observe(ResponseTime, v)
		after, ok := Read(of[0], k, nil)
		if !ok {
			t.Fatal("nothing is there")
		}
		f := &Families()[ResponseTime]
		seconds := float64(v) / f.Scale
		classic := 0
		for classic < len(f.Buckets) && seconds > f.Buckets[classic] {
			classic++
		}
		native := 0
		if seconds > NativeZero {
			native = 1 + int(math.Ceil(math.Log2(seconds)*(1<<NativeSchema))) - NativeFirst
		}
		native = min(native, NativeWords-1)
		for i := range after {
			want := before[i]
			switch i {
			case f.At + classic, f.NativeAt + native:
				want++
			case f.At + f.Words() - 1:
				want += v
			}
			if after[i] != want {
				t.Errorf("%d ns: word %d is %d, want %d", v, i, after[i], want)
			}
		}
	}
}

func TestEveryNativeBucketEndsWhereItsIndexSays(t *testing.T) {
	for i := range NativeWords - 1 {
		top := int64(perSecond * math.Exp2(float64(NativeFirst-1+i)/(1<<NativeSchema)))
		if got := nativeWord(top); got != i {
			t.Errorf("%d ns is in word %d, want %d", top, got, i)
		}
		if got := nativeWord(top + 1); got != i+1 {
			t.Errorf("%d ns is in word %d, want %d", top+1, got, i+1)
		}
	}
	if nativeWord(math.MinInt64) != 0 || nativeWord(math.MaxInt64) != NativeWords-1 {
		t.Error("what is beyond is in no bucket")
	}
}

func TestTotalsOfAllProcessesAreReadAsOne(t *testing.T) {
	of, reader := columns(t, 3)
	k := Key{UpstreamBlock, "server", "upstream"}
	if _, ok := Read(reader, k, nil); ok {
		t.Error("there are totals before anybody counted")
	}
	for i, a := range of {
		b, err := Open(a, k)
		if err != nil {
			t.Fatal(err)
		}
		b.Add(UpstreamRetries, int64(i+1))
		b.Add(UpstreamRetries, -5)
		b.Count(UpstreamErrors, ErrorType("ReadTimedout"))
		b.Count(UpstreamErrors, ErrorType("Nonsense"))
	}
	if _, err := Open(reader, k); err == nil {
		t.Error("a process that only reads counts")
	}
	got, ok := Read(reader, k, nil)
	f := &Families()[UpstreamErrors]
	if !ok || got[Families()[UpstreamRetries].At] != 6 || got[f.At+9] != 3 || f.Values[9] != "ReadTimedout" || got[f.At+len(f.Values)-1] != 3 {
		t.Errorf("got %v", got)
	}
	for _, other := range []Key{{UpstreamBlock, "serverupstream", ""}, {UpstreamBlock, "", "server"}, {LocationBlock, "server", "upstream"}, {UpstreamBlock, "server", "upstream2"}} {
		if _, ok := Read(reader, other, nil); ok {
			t.Errorf("%v is the same", other)
		}
	}
}

func TestANilBlockCountsNothing(t *testing.T) {
	var b *Block
	b.Add(Requests, 1)
	b.Count(ResponseCodes, 1)
	b.Observe(ResponseTime, 1)
}

func TestCountingAndReadingAllocateNothing(t *testing.T) {
	of, reader := columns(t, 2)
	k := Key{LocationBlock, "server", "location"}
	b, err := Open(of[0], k)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]int64, 0, arena.TotalWords)
	if n := testing.AllocsPerRun(100, func() {
		b.Add(Requests, 1)
		b.Count(ResponseCodes, 2)
		b.Observe(ResponseTime, 12345)
		if got, ok := Read(reader, k, dst); !ok || &got[0] != &dst[:1][0] {
			t.Fatal("not read into what was given")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
