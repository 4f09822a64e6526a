package arena

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const totalNames = 5

// totalling is a worker process that adds until it is killed, or told to end. Each addition is in between two to a witness, one
// cell for all processes: what began and what is done.
func totalling(a *Arena) error {
	began, err := witness(a, 0)
	if err != nil {
		return err
	}
	done, err := witness(a, 1)
	if err != nil {
		return err
	}
	var of [totalNames]*Total
	for i := range of {
		if of[i], err = a.Total(fmt.Append(nil, "total ", i)); err != nil {
			return err
		}
	}
	fmt.Println("ok")
	var stop atomic.Bool
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() {
			for i := n; !stop.Load(); i++ {
				atomic.AddInt64(began, 1)
				of[i%totalNames].Add(i%7, 1)
				atomic.AddInt64(done, 1)
			}
		})
	}
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	stop.Store(true)
	wg.Wait()
	return err
}

// totals reads everything once, and reports how much there is and whether a word went back.
func totals(t *testing.T, a *Arena, last *[totalNames][TotalWords]int64) (all int64) {
	t.Helper()
	var room [TotalWords]int64
	for i := range last {
		words, ok := a.ReadTotal(fmt.Append(nil, "total ", i), room[:0])
		if !ok {
			continue
		}
		for n, v := range words {
			if v < last[i][n] {
				t.Errorf("word %d of name %d went back from %d to %d", n, i, last[i][n], v)
			}
			last[i][n] = v
			all += v
		}
	}
	return all
}

func TestSumsNeverGoBackAndLoseNothingWhenProcessesAreKilled(t *testing.T) {
	const columns, kills = 3, 9
	a := create(t, Options{Columns: columns + 1, Totals: 16})
	reader := attach(t, a, ReadOnly)
	attach(t, a, columns) // the witnesses' cells are in column 0, which is never zeroed here
	var cmds [columns]*exec.Cmd
	var ends [columns]func()
	begin := func(column int) {
		cmd, in, out := start(t, a, "total", column)
		if line, err := out.ReadString('\n'); err != nil || line != "ok\n" {
			t.Fatalf("%q, %v", line, err)
		}
		cmds[column], ends[column] = cmd, func() { fmt.Fprintln(in, "end") }
	}
	for column := range columns {
		begin(column)
	}
	var last [totalNames][TotalWords]int64
	for n := range kills {
		for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
			totals(t, reader, &last)
		}
		column := 1 + n%(columns-1)
		if err := cmds[column].Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmds[column].Wait() // says that it was killed
		a.ZeroColumn(column)
		totals(t, reader, &last)
		begin(column)
	}
	for column := range columns {
		ends[column]()
		if err := cmds[column].Wait(); err != nil {
			t.Error(err)
		}
	}
	all := totals(t, reader, &last)
	w := attach(t, a, columns)
	began, done := counter(t, w, "witness 0").Load(), counter(t, w, "witness 1").Load()
	t.Logf("%d additions", all)
	if all < done || all > began || done == 0 || began-done > 3*kills {
		t.Errorf("%d began, %d are done, the sum is %d", began, done, all)
	}
}
