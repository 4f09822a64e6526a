package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// never is a change that does not come.
func never() <-chan struct{} { return nil }

func TestPlacesAreGivenInTheOrderOfTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(100, time.Minute)
		var places atomic.Int64
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				err := q.Wait(t.Context(), never, func() bool {
					if places.Load() == 0 {
						return false
					}
					places.Add(-1)
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					return true
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for got := 0; got < 50; {
			n := 1 + got%7
			places.Add(int64(min(n, 50-got)))
			got += min(n, 50-got)
			time.Sleep(pollEvery)
			synctest.Wait()
			if places.Load() != 0 {
				t.Fatalf("%d places were not taken", places.Load())
			}
		}
		wg.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("order %v", order)
			}
		}
		if q.Waiting() != 0 {
			t.Errorf("%d still wait", q.Waiting())
		}
	})
}

func TestAChangeWakesTheFirstAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(1, time.Minute)
		news := make(chan struct{})
		free, done := false, make(chan time.Duration)
		begin := time.Now()
		go func() {
			_ = q.Wait(t.Context(), func() <-chan struct{} { return news }, func() bool { return free })
			done <- time.Since(begin)
		}()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		free = true
		close(news)
		if took := <-done; took != time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestNobodyWaitsLongerThanHeMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(3, time.Second)
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				begin := time.Now()
				err := q.Wait(t.Context(), never, func() bool { return false })
				if took := time.Since(begin); !errors.Is(err, ErrLate) || took != time.Second {
					t.Errorf("%d: %v after %v", i, err, took)
				}
			})
		}
		synctest.Wait()
		if err := q.Wait(t.Context(), never, func() bool { return true }); !errors.Is(err, ErrFull) {
			t.Errorf("the fourth of three got %v", err)
		}
		wg.Wait()
		if err := q.Wait(t.Context(), never, func() bool { return true }); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestWhoLeavesMakesRoomWhereverHeStands(t *testing.T) {
	for leaver := range 3 {
		t.Run(fmt.Sprint(leaver), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(3, time.Minute)
				var free atomic.Bool
				var cancels []context.CancelFunc
				errs := make([]error, 3)
				var wg sync.WaitGroup
				for i := range 3 {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					cancels = append(cancels, cancel)
					wg.Go(func() { errs[i] = q.Wait(ctx, never, free.Load) })
					synctest.Wait()
				}
				cancels[leaver]()
				synctest.Wait()
				if !errors.Is(errs[leaver], context.Canceled) || q.Waiting() != 2 {
					t.Errorf("got %v, %d wait", errs[leaver], q.Waiting())
				}
				free.Store(true)
				wg.Wait()
				for i, err := range errs {
					if (err == nil) == (i == leaver) {
						t.Errorf("%d: %v", i, err)
					}
				}
			})
		})
	}
}

func TestWithoutRoomThereIsNoQueue(t *testing.T) {
	for _, q := range []*Queue{New(0, time.Second), New(5, 0)} {
		if err := q.Wait(t.Context(), never, func() bool { return true }); !errors.Is(err, ErrFull) || q.Waiting() != 0 {
			t.Errorf("got %v", err)
		}
	}
}
