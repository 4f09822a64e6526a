package arena

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const holdTime = 500 * time.Millisecond

// witness is a cell that all processes share, so that its value is exact.
func witness(a *Arena, key int) (*int64, error) {
	c, err := a.Counter(fmt.Sprint("witness ", key))
	if err != nil {
		return nil, err
	}
	return &c.cells[0][c.row], nil
}

// holding is a worker process that takes and gives back one of some keys, with all others. It says how often it was admitted, and how often
// more than the limit held.
func holding(a *Arena, keys int) error {
	shared := make([]*int64, keys)
	for i := range shared {
		w, err := witness(a, i)
		if err != nil {
			return err
		}
		shared[i] = w
	}
	fmt.Println("ok")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var above, admitted atomic.Int64
	var wg sync.WaitGroup
	end := Now() + holdTime.Nanoseconds()
	for n := range 4 {
		wg.Go(func() {
			for i := n; Now() < end; i++ {
				h, held, ok := a.Acquire(Key{uint64(i % keys), 5}, limit)
				if !ok {
					continue
				}
				if atomic.AddInt64(shared[i%keys], 1) > limit || held > limit {
					above.Add(1)
				}
				admitted.Add(1)
				atomic.AddInt64(shared[i%keys], -1)
				h.Release()
			}
		})
	}
	wg.Wait()
	_, err := fmt.Println(admitted.Load(), above.Load())
	return err
}

func TestHoldsAreNeverAboveTheLimitOverProcesses(t *testing.T) {
	for _, c := range []struct {
		keys, holds int
		kill        bool
	}{{1, DefaultHolds, false}, {6, places, false}, {97, DefaultHolds, false}, {3, DefaultHolds, true}} {
		t.Run(fmt.Sprintf("%d keys, %d places, kill %v", c.keys, c.holds, c.kill), func(t *testing.T) {
			a := create(t, Options{Columns: 5, Rows: 1024, Holds: c.holds})
			admitted, above := holders(t, a, 4, c.keys, c.kill)
			t.Logf("%d admitted", admitted)
			// Who is killed leaves what it had added to the witness.
			if admitted == 0 || above > 0 && !c.kill {
				t.Errorf("%d of %d were above the limit", above, admitted)
			}
			w := attach(t, a, 4)
			for key := range c.keys {
				if held := heldOf(w, Key{uint64(key), 5}); held != 0 {
					t.Errorf("key %d: %d are held by nobody", key, held)
				}
			}
			if a.Unheld() != 0 {
				t.Errorf("%d were not counted", a.Unheld())
			}
		})
	}
}

// holders starts processes and lets them go at once. The first may be killed in the middle.
func holders(t *testing.T, a *Arena, n, keys int, kill bool) (admitted, above int) {
	t.Helper()
	var cmds []*exec.Cmd
	var ins []io.WriteCloser
	var outs []*bufio.Reader
	for column := range n {
		cmd, in, out := start(t, a, "held "+strconv.Itoa(keys), column)
		if line, err := out.ReadString('\n'); err != nil || line != "ok\n" {
			t.Fatalf("%q, %v", line, err)
		}
		cmds, ins, outs = append(cmds, cmd), append(ins, in), append(outs, out)
	}
	for _, in := range ins {
		fmt.Fprintln(in, "go")
	}
	if kill {
		time.Sleep(holdTime / 3) // in the middle of it, whenever that is
		if err := cmds[0].Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmds[0].Wait()
		a.ZeroColumn(0)
		cmds, outs = cmds[1:], outs[1:]
	}
	for i, out := range outs {
		var ok, over int
		if _, err := fmt.Fscan(out, &ok, &over); err != nil {
			t.Fatal(err)
		}
		if err := cmds[i].Wait(); err != nil {
			t.Fatal(err)
		}
		admitted, above = admitted+ok, above+over
	}
	return admitted, above
}

// heldOf counts as every call of Acquire does.
func heldOf(a *Arena, key Key) int64 {
	g := newGrip(key, a.parts(), 0)
	return g.count(a.parts())
}

func TestAKilledProcessHoldsNothing(t *testing.T) {
	a := create(t, Options{Columns: 3})
	w, key := attach(t, a, 1), Key{0, 5}
	mine, _, _ := w.Acquire(key, limit)
	cmd, _, out := start(t, a, "keep", 0)
	if line, err := out.ReadString('\n'); err != nil || line != "holding\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if _, held, ok := w.Acquire(key, 4); ok || held != 4 {
		t.Errorf("%v, %d while the dead one's column stands", ok, held)
	}
	a.ZeroColumn(0)
	if got := heldOf(w, key); got != 1 {
		t.Errorf("%d after the column was zeroed, want 1", got)
	}
	for _, p := range a.parts() {
		for row := range p.masks {
			if p.masks[row].Load()&1 != 0 {
				t.Fatal("its column is still looked at")
			}
		}
	}
	mine.Release()
	if got := heldOf(w, key); got != 0 {
		t.Errorf("%d in the end", got)
	}
}
