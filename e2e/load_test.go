package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mix is one kind of clients of a load.
type mix struct {
	clients int
	fresh   bool                  // a connection for each request
	pause   time.Duration         // between two requests of a client
	request func(n uint64) string // n counts the requests of a client
	status  int                   // expected; 0 is 200
	slow    time.Duration         // the request arrives in two halves with this between them
}

// failure is a request that did not bring what it should.
type failure struct {
	began, ended time.Time
	client       int
	refused      bool // no connection
	err          error
}

// traffic is load that runs.
type traffic struct {
	addr     string
	done     atomic.Uint64
	stopped  chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex // guards failures
	failures []failure
}

// runLoad starts clients that go on until stop.
func runLoad(t *testing.T, addr string, mixes ...mix) *traffic {
	t.Helper()
	l := &traffic{addr: addr, stopped: make(chan struct{})}
	number := 0
	for _, m := range mixes {
		for range m.clients {
			number++
			self := number
			l.wg.Go(func() { l.client(self, m) }) // ends after stop, in the time of one exchange
		}
	}
	t.Cleanup(l.stop)
	return l
}

// stop ends the load when the requests in flight have been answered.
func (l *traffic) stop() {
	select {
	case <-l.stopped:
	default:
		close(l.stopped)
	}
	l.wg.Wait()
}

func (l *traffic) client(number int, m mix) {
	var c *client
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	for n := uint64(0); l.goesOn(m.pause, n); n++ {
		began := time.Now()
		if c == nil {
			var err error
			if c, err = connect(l.addr); err != nil {
				l.failed(failure{began, time.Now(), number, true, err})
				c = nil
				continue
			}
		}
		a, err := l.exchange(c, m, n)
		if err != nil {
			l.failed(failure{began, time.Now(), number, false, err})
		}
		if err == nil {
			l.done.Add(1)
		}
		if m.fresh || err != nil || a.close {
			c.close()
			c = nil
		}
	}
}

// goesOn waits for the pause and says whether there is another request.
func (l *traffic) goesOn(pause time.Duration, n uint64) bool {
	if n == 0 {
		pause = 0
	}
	select {
	case <-l.stopped:
		return false
	case <-time.After(pause):
		return true
	}
}

func (l *traffic) exchange(c *client, m mix, n uint64) (*answer, error) {
	request := m.request(n)
	status := m.status
	if status == 0 {
		status = 200
	}
	if m.slow > 0 {
		half := len(request) / 2
		if _, err := io.WriteString(c.conn, request[:half]); err != nil {
			return nil, err
		}
		time.Sleep(m.slow) // the slowness is the load, nothing is waited for
		request = request[half:]
	}
	a, err := c.do(request)
	if err == nil && a.status != status {
		err = fmt.Errorf("status %d: %s", a.status, tail(string(a.body), 200))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no answer within %v: %w", exchangeTime, err)
	}
	return a, err
}

func (l *traffic) failed(f failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 10_000 {
		l.failures = append(l.failures, f)
	}
}

func (l *traffic) failuresSoFar() []failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failures)
}

// progress fails the test when not another n requests succeed.
func (l *traffic) progress(t *testing.T, n uint64) {
	t.Helper()
	goal := l.done.Load() + n
	err := within(patience, func() error {
		if done := l.done.Load(); done < goal {
			return fmt.Errorf("%d of %d requests", done, goal)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the load does not go on: %v; %s", err, l.report())
	}
}

// report is a line about the failures.
func (l *traffic) report() string {
	failures := l.failuresSoFar()
	var b strings.Builder
	fmt.Fprintf(&b, "%d done, %d failed", l.done.Load(), len(failures))
	for i, f := range failures {
		if i == 5 {
			b.WriteString("; …")
			break
		}
		fmt.Fprintf(&b, "; client %d after %v: %v", f.client, f.ended.Sub(f.began).Round(time.Millisecond), f.err)
	}
	return b.String()
}

// mustBeClean stops the load and fails the test if any request failed.
func (l *traffic) mustBeClean(t *testing.T) {
	t.Helper()
	l.stop()
	if len(l.failuresSoFar()) > 0 || l.done.Load() == 0 {
		t.Errorf("load: %s", l.report())
	}
}

func isRefused(err error) bool {
	var op *net.OpError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op) && op.Op == "dial"
}

func always(request string) func(uint64) string {
	return func(uint64) string { return request }
}

// usualMix is keep-alive, a connection per request, slow requests and uploads together.
func usualMix(clients int) []mix {
	body := strings.Repeat("upload ", 3000)
	return []mix{
		{clients: clients, pause: time.Millisecond, request: always(get("/load"))},
		{clients: clients, fresh: true, pause: time.Millisecond, request: always(get("/load"))},
		{clients: max(1, clients/4), pause: time.Millisecond, slow: 20 * time.Millisecond, request: always(get("/load"))},
		{clients: max(1, clients/4), pause: 5 * time.Millisecond, request: always(send("POST", "/load", body))},
		{clients: max(1, clients/4), pause: 5 * time.Millisecond, request: always(chunked("POST", "/load", body, body))},
	}
}
