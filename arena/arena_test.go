package arena

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv("ARENA_TEST_CHILD"); mode != "" {
		if err := child(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	limit  = 5
	rounds = 20_000
)

// child is a worker process with the arena as descriptor 3.
func child(mode string) error {
	column, err := strconv.Atoi(os.Getenv("ARENA_TEST_COLUMN"))
	if err != nil {
		return err
	}
	a, err := Map(3, column)
	if err != nil {
		return err
	}
	if mode == "grow" {
		return growing(a)
	}
	if keys, ok := strings.CutPrefix(mode, "rate "); ok {
		n, err := strconv.Atoi(keys)
		if err != nil {
			return err
		}
		return rating(a, n)
	}
	if keys, ok := strings.CutPrefix(mode, "held "); ok {
		n, err := strconv.Atoi(keys)
		if err != nil {
			return err
		}
		return holding(a, n)
	}
	if mode == "total" {
		return totalling(a)
	}
	if mode == "keep" {
		for range 3 {
			if _, _, ok := a.Acquire(Key{0, 5}, limit); !ok {
				return errors.New("refused below the limit")
			}
		}
		fmt.Println("holding")
		_, err := io.ReadAll(os.Stdin) // until killed
		return err
	}
	c, err := a.Counter("location/api/processing")
	if err != nil {
		return err
	}
	if mode == "hold" {
		for range 3 {
			if !c.Acquire(limit) {
				return errors.New("refused below the limit")
			}
		}
		fmt.Println("holding")
		_, err := io.ReadAll(os.Stdin) // until killed
		return err
	}
	return hammer(a, c)
}

// hammer takes and releases from several threads. The witness is one single cell that all processes share, so that
// its value is exact.
func hammer(a *Arena, c *Counter) error {
	w, err := a.Counter("witness")
	if err != nil {
		return err
	}
	witness := &w.cells[0][w.row]
	var above, admitted atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(20 * time.Second)
	for range 4 {
		wg.Go(func() {
			// Processes that hold the places may not run for a while: it goes on until it had one itself.
			for n := 0; n < rounds || admitted.Load() == 0 && time.Now().Before(end); n++ {
				if !c.Acquire(limit) {
					continue
				}
				if atomic.AddInt64(witness, 1) > limit {
					above.Add(1)
				}
				admitted.Add(1)
				atomic.AddInt64(witness, -1)
				c.Release()
			}
		})
	}
	wg.Wait()
	if above.Load() > 0 || admitted.Load() == 0 {
		return fmt.Errorf("%d of %d admissions were above the limit", above.Load(), admitted.Load())
	}
	return nil
}

func start(t *testing.T, a *Arena, mode string, column int) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "arena")
	defer f.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "ARENA_TEST_CHILD="+mode, "ARENA_TEST_COLUMN="+strconv.Itoa(column))
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill() })
	return cmd, in, bufio.NewReader(out)
}

func create(t *testing.T, o Options) *Arena {
	t.Helper()
	a, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// attach maps the arena with all its parts as the process of a column would.
func attach(t *testing.T, a *Arena, column int) *Arena {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(a.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Map(fd, column)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	for _, fd := range a.Parts() {
		if err := b.AddPart(dup(t, fd)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func counter(t *testing.T, a *Arena, name string) *Counter {
	t.Helper()
	c, err := a.Counter(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheLimitHoldsOverProcesses(t *testing.T) {
	a := create(t, Options{Columns: 4, Rows: 64})
	var cmds []*exec.Cmd
	for column := range 4 {
		cmd, _, _ := start(t, a, "hammer", column)
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if got := counter(t, attach(t, a, ReadOnly), "location/api/processing").Load(); got != 0 {
		t.Errorf("%d left after everybody released", got)
	}
}

func TestAKilledProcessLosesItsShareOnly(t *testing.T) {
	a := create(t, Options{})
	c := counter(t, attach(t, a, 1), "location/api/processing")
	if !c.Acquire(limit) {
		t.Fatal("refused")
	}
	cmd, _, out := start(t, a, "hold", 0)
	if line, err := out.ReadString('\n'); err != nil || line != "holding\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := c.Load(); got != 4 {
		t.Errorf("%d while the dead one's column stands, want 4", got)
	}
	if c.Acquire(4) {
		t.Error("admitted above the limit")
	}
	a.ZeroColumn(0)
	if got := c.Load(); got != 1 {
		t.Errorf("%d after the column was zeroed, want 1", got)
	}
}

func TestCounterIsTheSameForTheSameName(t *testing.T) {
	a := create(t, Options{Rows: 8})
	one, two := attach(t, a, 0), attach(t, a, 1)
	counter(t, one, "x").Add(2)
	counter(t, two, "x").Add(3)
	counter(t, two, "y").Add(100)
	if got := counter(t, one, "x").Load(); got != 5 {
		t.Errorf("x = %d, want 5", got)
	}
}

func TestAFullArenaIsAnError(t *testing.T) {
	a := attach(t, create(t, Options{Rows: 8}), 0)
	for i := range 8 {
		counter(t, a, fmt.Sprint(i))
	}
	if _, err := a.Counter("one more"); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	counter(t, a, "3") // what is there is still found
}

func TestReadersOnlyRead(t *testing.T) {
	a := create(t, Options{Rows: 8})
	reader := attach(t, a, ReadOnly)
	if _, err := reader.Counter("x"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	counter(t, attach(t, a, 3), "x").Add(4)
	c := counter(t, reader, "x")
	c.Add(1)
	if c.Acquire(100) || c.Load() != 4 {
		t.Errorf("a reader counted: %d", c.Load())
	}
}

func TestRubbishCrashesNobody(t *testing.T) {
	a := create(t, Options{Columns: 3, Rows: 8})
	mine := attach(t, a, 0)
	c := counter(t, mine, "x")
	for name, fill := range map[string]byte{"ones": 0xff, "high": 0x7f, "zeros": 0} {
		mem := a.parts()[0].mem
		for i := range mem {
			mem[i] = fill
		}
		c.Load()
		if c.Acquire(10) {
			c.Release()
		}
		if _, err := mine.Counter("new " + name); err != nil && !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := inspect(a.FD()); !errors.Is(err, ErrLayout) {
		t.Errorf("rubbish was mapped: %v", err)
	}
	a.ZeroColumn(0)
	c.cells[1][c.row], c.cells[2][c.row] = math.MaxInt64, math.MaxInt64
	if c.Load() != math.MaxInt64 || c.Acquire(10) {
		t.Error("the sum wrapped")
	}
	c.cells[1][c.row], c.cells[2][c.row] = math.MinInt64, -1
	if !c.Acquire(1) {
		t.Error("a negative cell gave or took room")
	}
}

func TestMapRefusesWhatIsNoArena(t *testing.T) {
	valid := func() []byte {
		h := newHeader(7, 0, 2, Options{Rows: 8, Records: 4, Rates: 16, Holds: 16, Totals: 4})
		return append(h.encode(), make([]byte, h.total()-headerSize)...)
	}
	at := func(off int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[off:], v); return b }
	}
	const secondAt, thirdAt, fourthAt = segmentAt + segmentSize, segmentAt + 2*segmentSize, segmentAt + 3*segmentSize
	const fifthAt = fourthAt + segmentSize
	cases := []struct {
		name   string
		change func([]byte) []byte
		seals  int
	}{
		{"empty", func([]byte) []byte { return nil }, sizeSeals},
		{"short", func(b []byte) []byte { return b[:100] }, sizeSeals},
		{"cut", func(b []byte) []byte { return b[:headerSize+8] }, sizeSeals},
		{"magic", at(0, 1), sizeSeals},
		{"version", at(8, 1), sizeSeals},
		{"a later part", at(32, 1), sizeSeals},
		{"part out of range", at(32, MaxParts+1), sizeSeals},
		{"size", at(16, 1<<62), sizeSeals},
		{"kind", at(segmentAt, 99), sizeSeals},
		{"no rows", at(segmentAt+8, 0), sizeSeals},
		{"rows no power of two", at(segmentAt+8, 7), sizeSeals},
		{"too many rows", at(segmentAt+8, 1<<40), sizeSeals},
		{"offset outside", at(segmentAt+16, 1<<63), sizeSeals},
		{"offset in the header", at(segmentAt+16, 8), sizeSeals},
		{"offset not aligned", at(segmentAt+16, headerSize+8), sizeSeals},
		{"length", at(segmentAt+24, 1<<63), sizeSeals},
		{"no records", at(secondAt, 99), sizeSeals},
		{"counters twice", at(secondAt, 2<<32|kindCounters), sizeSeals},
		{"other columns", at(secondAt, 1<<32|kindRecords), sizeSeals},
		{"too many records", at(secondAt+8, MaxRecords*2), sizeSeals},
		{"records outside", at(secondAt+16, 1<<40), sizeSeals},
		{"length of records", at(secondAt+24, 8), sizeSeals},
		{"no rates", at(thirdAt, 99), sizeSeals},
		{"records twice", at(thirdAt, 2<<32|kindRecords), sizeSeals},
		{"rates of other columns", at(thirdAt, 1<<32|kindRates), sizeSeals},
		{"no windows", at(thirdAt+8, 0), sizeSeals},
		{"windows no power of two", at(thirdAt+8, 3), sizeSeals},
		{"too many windows", at(thirdAt+8, MaxRates/places*2), sizeSeals},
		{"rates outside", at(thirdAt+16, 1<<40), sizeSeals},
		{"length of rates", at(thirdAt+24, windowSize), sizeSeals},
		{"no holds", at(fourthAt, 99), sizeSeals},
		{"rates twice", at(fourthAt, 2<<32|kindRates), sizeSeals},
		{"too many windows of holds", at(fourthAt+8, MaxHolds/places*2), sizeSeals},
		{"holds outside", at(fourthAt+16, 1<<40), sizeSeals},
		{"length of holds", at(fourthAt+24, maskSize), sizeSeals},
		{"no totals", at(fifthAt, 99), sizeSeals},
		{"holds twice", at(fifthAt, 2<<32|kindHolds), sizeSeals},
		{"totals of other columns", at(fifthAt, 1<<32|kindTotals), sizeSeals},
		{"no blocks", at(fifthAt+8, 0), sizeSeals},
		{"too many blocks", at(fifthAt+8, MaxTotals*2), sizeSeals},
		{"totals outside", at(fifthAt+16, 1<<40), sizeSeals},
		{"length of totals", at(fifthAt+24, totalSize), sizeSeals},
		{"not sealed", func(b []byte) []byte { return b }, unix.F_SEAL_SHRINK},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Map(memfd(t, c.change(valid()), c.seals), 0); !errors.Is(err, ErrLayout) {
				t.Errorf("got %v", err)
			}
		})
	}
	a, err := Map(memfd(t, valid(), sizeSeals), 1)
	if err != nil {
		t.Fatalf("the unchanged one: %v", err)
	}
	a.Close()
	if _, err := Map(memfd(t, valid(), sizeSeals), 2); err == nil {
		t.Error("a column that does not exist was mapped")
	}
}

func memfd(t *testing.T, data []byte, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 0 {
		if _, err := unix.Pwrite(fd, data, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestTheSizeIsSealed(t *testing.T) {
	a := create(t, Options{Rows: 8})
	for _, size := range []int64{0, 1 << 30} {
		if err := unix.Ftruncate(a.FD(), size); !errors.Is(err, unix.EPERM) {
			t.Errorf("ftruncate to %d: %v", size, err)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	c := counter(t, attach(t, create(t, Options{}), 0), "x")
	got := testing.AllocsPerRun(100, func() {
		if c.Acquire(10) {
			c.Release()
		}
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	a, err := Create(Options{})
	if err != nil {
		b.Fatal(err)
	}
	a.column = 0 // as a worker
	c, err := a.Counter("x")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Acquire(10)
		c.Release()
	}
}
