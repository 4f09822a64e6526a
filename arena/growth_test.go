package arena

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// traffic takes and gives back below a limit until told to stop. The witness is a word of a record that all processes share, so its value is
// exact: never above the limit. above counts when it was.
type traffic struct {
	wg              sync.WaitGroup
	stop            atomic.Bool
	admitted, above atomic.Int64
}

func (f *traffic) begin(c *Counter, witness *atomic.Uint64) {
	for range 2 {
		f.wg.Go(func() {
			for !f.stop.Load() {
				if !c.Acquire(limit) {
					continue
				}
				if witness.Add(1) > limit {
					f.above.Add(1)
				}
				f.admitted.Add(1)
				witness.Add(^uint64(0))
				c.Release()
			}
		})
	}
}

// growing is a worker process that is told of parts while it has traffic, by lines: "part N" is descriptor N of the parent, "late" is
// to count in what is new, "hold" to hold three of each, "stop" ends it. Each line is answered.
func growing(a *Arena) error {
	var f traffic
	early, first := a.Record(1, 1), a.Record(2, 1)
	c, err := a.Counter("early")
	if early == nil || first == nil || err != nil {
		return fmt.Errorf("at the start: %v %v %w", early, first, err)
	}
	f.begin(c, early.Word(0))
	f.begin(first.Held(), first.Word(0))
	fmt.Println("ok")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		what, number, _ := strings.Cut(in.Text(), " ")
		switch what {
		case "part":
			fd, err := unix.Open(fmt.Sprintf("/proc/%d/fd/%s", os.Getppid(), number), unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err == nil {
				err = a.AddPart(fd)
			}
			if err != nil {
				return err
			}
		case "late", "hold":
			c, err := a.Counter("late")
			row, _ := strconv.Atoi(number)
			r := a.Record(row, 9)
			if r == nil || err != nil {
				return fmt.Errorf("in the new part: %v %w", r, err)
			}
			if what == "late" {
				f.begin(c, r.Word(0))
				f.begin(r.Held(), r.Word(1))
				break
			}
			for range 3 {
				c.Add(1)
				r.Held().Add(1)
				first.Held().Add(1)
			}
		case "stop", "calm": // after a kill the witness may stand too high for good
			f.stop.Store(true)
			f.wg.Wait()
			if what == "calm" {
				break
			}
			if f.above.Load() > 0 || f.admitted.Load() == 0 {
				return fmt.Errorf("%d of %d admissions were above the limit", f.above.Load(), f.admitted.Load())
			}
		}
		fmt.Println("ok")
	}
	return in.Err()
}

// worker is such a process.
type worker struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (w *worker) tell(line string) {
	w.t.Helper()
	if _, err := fmt.Fprintln(w.in, line); err != nil {
		w.t.Fatal(err)
	}
	w.hear()
}

func (w *worker) hear() {
	w.t.Helper()
	if got, err := w.out.ReadString('\n'); err != nil || got != "ok\n" {
		w.t.Fatalf("%q, %v", got, err)
	}
}

// workers starts processes on an arena whose counters are all taken but one.
func workers(t *testing.T, a *Arena, n int) (all []*worker) {
	t.Helper()
	claim(t, a, 1, 1)
	claim(t, a, 2, 1)
	own := attach(t, a, n)
	counter(t, own, "early")
	for i := 0; ; i++ {
		if _, err := own.Counter(fmt.Sprint("other ", i)); err != nil {
			break
		}
	}
	for column := range n {
		cmd, in, out := start(t, a, "grow", column)
		w := &worker{t: t, cmd: cmd, out: out, in: in}
		w.hear()
		all = append(all, w)
	}
	return all
}

func TestAnArenaGrowsInTheMiddleOfTraffic(t *testing.T) {
	const n = 3
	a := create(t, Options{Columns: n + 1, Rows: 8, Records: 8})
	all := workers(t, a, n)
	for part := range 3 {
		if err := a.Grow(1, 1, 0); err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			w.tell(fmt.Sprint("part ", a.Parts()[part]))
		}
	}
	row := a.Records() // of the last part
	claim(t, a, row, 9)
	for _, w := range all {
		w.tell(fmt.Sprint("late ", row))
	}
	for _, w := range all {
		w.tell("stop")
		w.in.Close()
		if err := w.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	reader := attach(t, a, ReadOnly)
	for what, got := range map[string]int64{"early": counter(t, reader, "early").Load(), "late": counter(t, reader, "late").Load(),
		"first record": record(t, a, 2, 1).Held().Load(), "last record": record(t, a, row, 9).Held().Load()} {
		if got != 0 {
			t.Errorf("%s: %d left after everybody gave back", what, got)
		}
	}
}

func TestAKilledProcessLosesWhatItHeldInAllParts(t *testing.T) {
	a := create(t, Options{Columns: 3, Rows: 8, Records: 8})
	all := workers(t, a, 2)
	if err := a.Grow(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	row := a.Records()
	claim(t, a, row, 9)
	for _, w := range all {
		w.tell(fmt.Sprint("part ", a.Parts()[0]))
		w.tell(fmt.Sprint("hold ", row))
	}
	last := record(t, a, row, 9)
	if got := last.Held().Load(); got != 6 {
		t.Fatalf("%d held by two", got)
	}
	// Killed in the middle of its traffic.
	if err := all[0].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := all[0].cmd.Wait(); !errors.As(err, &exit) {
		t.Fatal(err)
	}
	a.ZeroColumn(0)
	all[1].tell("calm")
	reader := attach(t, a, ReadOnly)
	for what, got := range map[string]int64{"late": counter(t, reader, "late").Load(), "last record": last.Held().Load(),
		"first record": record(t, a, 2, 1).Held().Load()} {
		if got != 3 {
			t.Errorf("%s: %d, want the three of who lives", what, got)
		}
	}
	if got := counter(t, reader, "early").Load(); got != 0 {
		t.Errorf("%d of traffic that has ended", got)
	}
}
