package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
)

// patient bounds waits for what must happen.
const patient = 20 * time.Second

// rig is a checker that runs, and what it told.
type rig struct {
	t       *testing.T
	c       *Checker
	logged  *observer.ObservedLogs
	mu      sync.Mutex
	results []Result
	more    chan struct{}
	stop    func()
}

func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	checkLeaks(t)
	core, logged := observer.New(zapcore.InfoLevel)
	r := &rig{t: t, logged: logged, more: make(chan struct{}, 1)}
	opt := Options{Log: zap.New(core), Report: r.report, Version: "1.2"}
	for _, f := range change {
		f(&opt)
	}
	r.c = New(opt)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.c.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) report(res Result) {
	r.mu.Lock()
	r.results = append(r.results, res)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *rig) all() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Result(nil), r.results...)
}

// await returns the n-th result, from 0.
func (r *rig) await(n int) Result {
	r.t.Helper()
	late := time.After(patient)
	for {
		if all := r.all(); len(all) > n {
			return all[n]
		}
		select {
		case <-r.more:
		case <-late:
			r.t.Fatalf("only %d results: %+v", len(r.all()), r.all())
		}
	}
}

// checked waits until all targets of an upstream were checked, with the check they have by the Sets up to now.
func (r *rig) checked(upstream string) {
	r.t.Helper()
	for late := time.Now().Add(patient); time.Now().Before(late); time.Sleep(time.Millisecond) {
		answer := make(chan bool, 1)
		r.c.post(func(int64) {
			g := r.c.groups[upstream]
			answer <- g == nil || g.unchecked == 0
		})
		select {
		case done := <-answer:
			if done {
				return
			}
		case <-time.After(patient):
		}
	}
	r.t.Fatal("it did not happen")
}

func wait(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patient):
		t.Fatal("it did not happen")
	}
}

func compile(t testing.TB, u config.Upstream) *Compiled {
	t.Helper()
	u.VerifyCert = true
	c, err := Compile(&u)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check compiles a URL of health_check.
func check(t testing.TB, url string) *Compiled {
	t.Helper()
	return compile(t, config.Upstream{HealthCheck: url})
}

// address is the one of a listener, or of a text.
func address(text string) config.Address {
	if strings.HasPrefix(text, "/") {
		return config.Address{Network: "unix", Path: text}
	}
	to, err := netip.ParseAddrPort(text)
	if err != nil {
		return config.Address{Network: "tcp", Host: text, Port: 80}
	}
	return config.Address{Network: "tcp", Host: to.Addr().String(), Port: int(to.Port())}
}

func target1(to string, c *Compiled) []Target {
	return []Target{{Key: to, Address: address(to), Check: c}}
}

// listen accepts connections and has serve do with them what it does, until the test ends.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, serve)
}

func serveOn(t testing.TB, ln net.Listener, serve func(net.Conn)) string {
	var wg sync.WaitGroup
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
			wg.Go(func() {
				serve(conn)
				conn.Close()
				mu.Lock()
				delete(conns, conn)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// says answers each request head with a text and closes.
func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if readHead(conn) != "" {
			fmt.Fprint(conn, text)
		}
	}
}

// readHead reads up to the end of a head; empty if there is none.
func readHead(conn net.Conn) string {
	var head []byte
	one := make([]byte, 1)
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		if _, err := conn.Read(one); err != nil {
			return ""
		}
		head = append(head, one[0])
	}
	return string(head)
}

// mute accepts and says nothing until the connection is closed.
func mute(conn net.Conn) {
	buf := make([]byte, 1024)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

// nobody is an address on which nobody listens.
func nobody(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// full is a listener whose queue is full: to connect to it takes forever.
func full(t testing.TB) string {
	t.Helper()
	to, fill := fullSocket(t)
	for range 4 {
		fill()
	}
	return to
}

// checkLeaks fails the test when goroutines of checks or descriptors are left at its end.
func checkLeaks(t *testing.T) {
	t.Helper()
	before := descriptors()
	t.Cleanup(func() {
		var stacks string
		after := 0
		for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			buf := make([]byte, 1<<20)
			stacks = string(buf[:runtime.Stack(buf, true)])
			after = descriptors()
			if !strings.Contains(stacks, "health.(*") && !strings.Contains(stacks, "http2") && after <= before {
				return
			}
		}
		t.Errorf("%d descriptors, %d before; goroutines:\n%s", after, before, stacks)
	})
}

func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
