package e2e

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
)

// holder makes requests that the backend holds, and counts the answers.
type holder struct {
	addr string
	wg   sync.WaitGroup
	mu   sync.Mutex // guards answers
	// answers by status; 0 is a failure.
	answers map[int]int
}

func (h *holder) request() {
	h.wg.Go(func() { // ends with the answer, which a backend that is released gives
		status := 0
		if a, err := fetch(h.addr, get("/hold")); err == nil {
			status = a.status
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.answers[status]++
	})
}

func (h *holder) count(status int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers[status]
}

// max_processing holds over all workers together: never above it, and up to it. Requests that race may see a refusal too many.
func TestMaxProcessingHoldsOverAllWorkers(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	const limit, racing = 5, 40
	i := start(t, insert(proxyConf(addr, b.addr), "locations.all", fmt.Sprintf("max_processing = %d", limit)))
	h := &holder{addr: addr, answers: map[int]int{}}
	for range racing {
		h.request()
	}
	i.eventually("all to be held or refused", func() error { return atLeast(b.now.Load()+int64(h.count(429)), racing) })
	refused := h.count(429)
	for held := b.now.Load(); held < limit; held++ {
		h.request()
		i.eventually("one more to be held", func() error { return atLeast(b.now.Load(), held+1) })
	}
	for range 10 {
		mustGet(t, addr, "/full", 429)
	}
	b.release()
	h.wg.Wait()
	if most := b.max.Load(); most != limit {
		t.Errorf("the backend had %d requests at once, the maximum is %d", most, limit)
	}
	if h.count(200) != limit || h.count(429) != refused {
		t.Errorf("answers: %v", h.answers)
	}
	t.Logf("%d of %d racing requests were refused", refused, racing)
	mustGet(t, addr, "/after", 200)
}

// A worker that dies gives back what it had taken of a limit.
func TestADeadWorkerHoldsNoPlaceInALimit(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, insert(proxyConf(addr, b.addr), "locations.all", "max_processing = 2"))
	for range 2 {
		go func() { _, _ = fetch(addr, get("/hold")) }() // ends with the worker
	}
	i.eventually("two requests", func() error { return atLeast(b.now.Load(), 2) })
	mustGet(t, addr, "/", 429)
	for _, pid := range i.status().pids() {
		signalPID(t, pid, syscall.SIGKILL)
	}
	i.eventually("places", func() error { return want(addr, "/", "app") })
}
