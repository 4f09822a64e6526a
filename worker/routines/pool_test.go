package routines

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type task struct {
	wg   *sync.WaitGroup
	n    *atomic.Int64
	wait chan struct{}
}

func (t *task) Run() {
	if t.wait != nil {
		<-t.wait
	}
	t.n.Add(1)
	t.wg.Done()
}

// settle waits until no more than n goroutines are left.
func settle(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, expected %d", runtime.NumGoroutine(), n)
		}
	}
}

func TestEveryTaskIsDoneOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	var p Pool
	var n atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				var one sync.WaitGroup
				one.Add(1)
				p.Go(&task{wg: &one, n: &n})
				one.Wait()
			}
		})
	}
	all.Wait()
	if n.Load() != 8000 {
		t.Errorf("%d tasks were done", n.Load())
	}
	p.Close()
	settle(t, before)
}

func TestTasksDoNotWaitForEachOther(t *testing.T) {
	before := runtime.NumGoroutine()
	var p Pool
	var n atomic.Int64
	var wg sync.WaitGroup
	release := make(chan struct{})
	for range 100 {
		wg.Add(1)
		p.Go(&task{&wg, &n, release})
	}
	var one sync.WaitGroup
	one.Add(1)
	p.Go(&task{wg: &one, n: &n})
	one.Wait()
	p.Close() // those at work end with their tasks
	close(release)
	wg.Wait()
	settle(t, before)
}

func TestWhatIsNotUsedEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	var p Pool
	var n atomic.Int64
	var wg sync.WaitGroup
	release := make(chan struct{})
	for range 50 {
		wg.Add(1)
		p.Go(&task{&wg, &n, release})
	}
	close(release)
	wg.Wait()
	for range 3 { // one is used meanwhile, and stays
		p.Trim()
		var one sync.WaitGroup
		one.Add(1)
		p.Go(&task{wg: &one, n: &n})
		one.Wait()
	}
	settle(t, before+2)
	p.Close()
	settle(t, before)
}

func TestShedEndsThoseThatRestAndNoOthers(t *testing.T) {
	before := runtime.NumGoroutine()
	var p Pool
	var n atomic.Int64
	var short, long sync.WaitGroup
	release := make(chan struct{})
	long.Add(1)
	p.Go(&task{&long, &n, release})
	for range 50 {
		short.Add(1)
		p.Go(&task{wg: &short, n: &n})
	}
	short.Wait()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if p.Shed(); runtime.NumGoroutine() <= before+1 {
			break
		}
	}
	settle(t, before+1)
	close(release)
	long.Wait()
	if n.Load() != 51 {
		t.Errorf("%d tasks were done", n.Load())
	}
	p.Close()
	settle(t, before)
}

func BenchmarkGo(b *testing.B) {
	var p Pool
	var n atomic.Int64
	var wg sync.WaitGroup
	t := &task{wg: &wg, n: &n}
	b.ReportAllocs()
	for b.Loop() {
		wg.Add(1)
		p.Go(t)
		wg.Wait()
	}
	p.Close()
}

// A sweeper may trim once more while the worker ends.
func TestTrimAfterCloseFindsNothing(t *testing.T) {
	var p Pool
	var wg sync.WaitGroup
	var n atomic.Int64
	before := runtime.NumGoroutine()
	wg.Add(3)
	for range 3 {
		p.Go(&task{wg: &wg, n: &n})
	}
	wg.Wait()
	for end := time.Now().Add(20 * time.Second); p.resting() < 1 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	p.Trim() // takes them for spare
	p.Close()
	p.Trim()
	settle(t, before)
}

// resting is how many goroutines wait for a task.
func (p *Pool) resting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}
