package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
	"pingap/message"
	"pingap/worker/drain"
	"pingap/worker/upstream"
)

// narrow is a backend that says which requests came, and answers one when told.
type narrow struct {
	*backend
	came chan string
	free chan struct{}
}

func newNarrow(t *testing.T) *narrow {
	n := &narrow{came: make(chan string, 100), free: make(chan struct{}, 100)}
	n.backend = newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			n.came <- strings.Fields(head)[1]
			<-n.free
			p.reply(ok5)
		}
	})
	t.Cleanup(func() { close(n.free) })
	return n
}

func oneAtATime(size int, timeout time.Duration) func(*config.Upstream) {
	return func(u *config.Upstream) {
		u.MaxRequestsPerBackend, u.QueueSize, u.QueueTimeout = 1, size, config.Duration(timeout)
	}
}

// untilQueued waits until n requests stand in line.
func (r *rig) untilQueued(n int64) {
	r.t.Helper()
	for end := time.Now().Add(patience); r.up.Queue.Waiting() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%d requests wait, want %d", r.up.Queue.Waiting(), n)
		}
	}
}

func TestRequestsWaitInLineForABackend(t *testing.T) {
	for _, front := range transports() {
		t.Run(front, func(t *testing.T) {
			b := newNarrow(t)
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, front), upstream: oneAtATime(10, patience)})
			c, base := r.user(front)
			var wg sync.WaitGroup
			for i := range 5 {
				wg.Go(func() {
					if resp, body := r.fetch(c, "GET", fmt.Sprintf("%s/%d", base, i), nil); resp.StatusCode != 200 || string(body) != "hello" {
						t.Errorf("%d: %d %q", i, resp.StatusCode, body)
					}
				})
				if i == 0 {
					if path := <-b.came; path != "/0" {
						t.Errorf("first came %s", path)
					}
					continue
				}
				r.untilQueued(int64(i))
			}
			for i := 1; i < 5; i++ {
				b.free <- struct{}{}
				if path := <-b.came; path != fmt.Sprint("/", i) {
					t.Errorf("%d: came %s", i, path)
				}
			}
			b.free <- struct{}{}
			wg.Wait()
			r.untilQueued(0)
		})
	}
}

func TestAFullQueueAndALateRequestAre503(t *testing.T) {
	b := newNarrow(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: oneAtATime(1, 500*time.Millisecond)})
	first, second, third := r.dial().send(get), r.dial(), r.dial()
	<-b.came
	second.send(get)
	r.untilQueued(1)
	if head, body := third.send(get).page(); !strings.HasPrefix(head, "HTTP/1.1 503 ") || !strings.Contains(body, "The queue for upstream up is full") {
		t.Errorf("%q %q", head, body)
	}
	if head, body := second.page(); !strings.HasPrefix(head, "HTTP/1.1 503 ") || !strings.Contains(body, "within queue_timeout") {
		t.Errorf("%q %q", head, body)
	}
	b.free <- struct{}{}
	first.expect("200", "hello")
	for _, c := range []*rawClient{second, third} { // their connections go on
		c.send(get)
		<-b.came
		b.free <- struct{}{}
		c.expect("200", "hello")
	}
}

func TestWhoLeavesTheQueueIs499AndNeverSent(t *testing.T) {
	for _, front := range []string{"h1", "h2c"} {
		t.Run(front, func(t *testing.T) {
			b := newNarrow(t)
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, front), upstream: oneAtATime(5, patience)})
			first := r.dial().send(get)
			<-b.came
			c, base := r.user(front)
			c.Timeout = 100 * time.Millisecond
			if resp, err := c.Get(base + "/gone"); err == nil {
				resp.Body.Close()
				t.Errorf("answered %d", resp.StatusCode)
			}
			if line := r.log.wait(t, 0); line.status != 499 || line.path != "/gone" || line.attempts != 0 {
				t.Errorf("log %+v", line)
			}
			r.untilQueued(0)
			b.free <- struct{}{}
			first.expect("200", "hello")
			if len(b.came) != 0 {
				t.Errorf("the backend got %s", <-b.came)
			}
		})
	}
}

func TestTheQueueGoesOnWhileTheWorkerDrains(t *testing.T) {
	b := newNarrow(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: oneAtATime(5, patience)})
	first, second := r.dial().send(get), r.dial()
	<-b.came
	second.send(get)
	r.untilQueued(1)
	r.p.Drain(drain.Times{Timeout: time.Hour, LongTimeout: time.Hour})
	b.free <- struct{}{}
	first.expect("200", "hello")
	<-b.came
	b.free <- struct{}{}
	second.expect("200", "hello")
	r.drained()
}

func TestTheQueueEndsWithItsWorker(t *testing.T) {
	b := newNarrow(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: oneAtATime(5, 10*patience)})
	r.dial().send(get)
	<-b.came
	c := r.dial().send(get)
	r.untilQueued(1)
	begin := time.Now()
	r.closeProxy()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	_, _ = io.Copy(io.Discard, c.r)
	r.untilQueued(0)
}

func TestTheQueueSeesNewBackends(t *testing.T) {
	b, other := newNarrow(t), newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: oneAtATime(5, patience)})
	first := r.dial().send(get)
	<-b.came
	second := r.dial().send(get)
	r.untilQueued(1)
	list := []upstream.Endpoint{endpoint(t, b.addr()), endpoint(t, other.addr())}
	r.up.SetEndpoints(list, nil)
	second.expect("200", "hello")
	b.free <- struct{}{}
	first.expect("200", "hello")
}

// What other workers free is not told: it is found out soon.
func TestTheQueueFindsPlacesThatOtherWorkersFree(t *testing.T) {
	b, _ := counted(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, upstream: oneAtATime(5, patience)})
	rec := r.watched()[0]
	worker, err := upstream.New(r.up.Config, upstream.Options{})
	must(t, err)
	t.Cleanup(worker.Close)
	list := []upstream.Endpoint{endpoint(t, b.addr())}
	list[0].Record = rec
	worker.SetEndpoints(list, nil)
	other := &message.Record{}
	theirs := worker.Pick(other, nil)
	if theirs == nil {
		t.Fatal("no place for the other worker")
	}
	theirs.Begin()
	c := r.dial().send(get)
	r.untilQueued(1)
	theirs.Done(other, upstream.Outcome{Status: 200})
	theirs.End()
	c.expect("200", "hello")
}

func TestACallDoesNotWaitLongerThanItsClient(t *testing.T) {
	b := newNarrow(t)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: speaks(t, "h2c"), upstream: oneAtATime(5, patience)})
	r.dial().send(get)
	<-b.came
	c, base := r.user("h2c")
	req, err := http.NewRequest("POST", base+"/a/b", http.NoBody)
	must(t, err)
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Grpc-Timeout", "200m")
	resp, err := c.Do(req)
	must(t, err)
	resp.Body.Close()
	if got := resp.Header.Get("Grpc-Status"); got != "4" {
		t.Errorf("grpc-status %q", got)
	}
	b.free <- struct{}{}
}

// held is a pool whose backends answer with a status as long as they are told to.
func statusBackend(t *testing.T, transport string, status int, body string) (addr string, came *atomic.Int64) {
	came = new(atomic.Int64)
	return serving(t, transport, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		came.Add(1)
		w.Header().Set("X-Backend", fmt.Sprint(status))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}), came
}

func TestAnswersAreHeldBackByStatus(t *testing.T) {
	long := strings.Repeat("sorry ", 20_000)
	for _, behind := range transports() {
		for _, front := range transports() {
			for _, text := range []string{"", "sorry", long} {
				t.Run(fmt.Sprintf("%s to %s, %d bytes", front, behind, len(text)), func(t *testing.T) {
					bad, came := statusBackend(t, behind, 503, text)
					good, _ := statusBackend(t, behind, 200, "hello")
					r := newRig(t, rigOptions{addrs: []string{bad, good}, location: config.Location{MaxRetries: 1}, server: speaks(t, front),
						upstream: func(u *config.Upstream) { reaches(behind)(u); u.RetryStatus, u.RetryBudget = "502,503", 100 }})
					c, base := r.user(front)
					for range 6 {
						resp, body := r.fetch(c, "GET", base+"/", nil)
						if resp.StatusCode != 200 || string(body) != "hello" || len(resp.Header["X-Backend"]) != 1 {
							t.Errorf("%d %.20q %v", resp.StatusCode, body, resp.Header)
						}
					}
					if came.Load() < 3 {
						t.Errorf("%d came to the one that is sorry", came.Load())
					}
					if open := r.up.OpenConnections(); len(text) < 10 && strings.HasPrefix(front, "h1") && open > 2 {
						t.Errorf("%d connections are open: those of short answers are used again", open)
					}
				})
			}
		}
	}
}

func TestTheLastAnswerIsPassedOnAsItIs(t *testing.T) {
	for _, tc := range []struct {
		name     string
		method   string
		retries  int
		backends int
		change   func(*config.Upstream)
		want     int // backends that are asked
	}{
		{"all tried", "GET", 5, 2, nil, 2},
		{"no more retries", "GET", 1, 3, nil, 2},
		{"no retries", "GET", 0, 3, nil, 1},
		{"one backend", "GET", 3, 1, nil, 1},
		{"POST", "POST", 3, 3, nil, 1},
		{"POST by leave", "POST", 3, 3, func(u *config.Upstream) { u.RetryNonIdempotent = true }, 3},
		{"another status", "GET", 3, 3, func(u *config.Upstream) { u.RetryStatus = "500" }, 1},
		{"without a budget", "GET", 3, 3, func(u *config.Upstream) { u.RetryBudget = 0 }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var addrs []string
			var asked []*atomic.Int64
			for range tc.backends {
				addr, came := statusBackend(t, "h1", 503, "sorry")
				addrs, asked = append(addrs, addr), append(asked, came)
			}
			r := newRig(t, rigOptions{addrs: addrs, location: config.Location{MaxRetries: tc.retries}, upstream: func(u *config.Upstream) {
				u.RetryStatus, u.RetryBudget = "503", 100
				if tc.change != nil {
					tc.change(u)
				}
			}})
			c, base := r.user("h1")
			if resp, body := r.fetch(c, tc.method, base+"/", nil); resp.StatusCode != 503 || string(body) != "sorry" || resp.Header.Get("X-Pingap-EType") != "" {
				t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
			}
			n := 0
			for _, came := range asked {
				n += int(came.Load())
			}
			if line := r.log.wait(t, 0); n != tc.want || line.attempts != tc.want {
				t.Errorf("%d were asked, want %d; log %+v", n, tc.want, line)
			}
		})
	}
}

func TestTheBudgetBoundsRetries(t *testing.T) {
	bad, _ := statusBackend(t, "h1", 503, "sorry")
	good, _ := statusBackend(t, "h1", 200, "hello")
	r := newRig(t, rigOptions{addrs: []string{bad, good}, location: config.Location{MaxRetries: 1}, quiet: true,
		upstream: func(u *config.Upstream) { u.RetryStatus, u.RetryBudget = "503", 10 }})
	c, base := r.user("h1")
	failed := 0
	begin := time.Now()
	for range 600 {
		if resp, _ := r.fetch(c, "GET", base+"/", nil); resp.StatusCode == 503 {
			failed++
		}
	}
	// 300 want a retry; 60 and 10 a second may be.
	least := 300 - 60 - int(time.Since(begin)/time.Second+2)*20
	if failed < least || failed > 260 {
		t.Errorf("%d of 300 were not retried, want at least %d", failed, least)
	}
}

func TestClientsStickToTheirBackend(t *testing.T) {
	for _, behind := range []string{"h1", "h2 tls"} {
		for _, front := range transports() {
			t.Run(front+" to "+behind, func(t *testing.T) {
				var addrs []string
				for i := range 4 {
					addrs = append(addrs, serving(t, behind, func(w http.ResponseWriter, r *http.Request) {
						w.Header().Add("Set-Cookie", "own=1")
						w.Header().Set("X-Backend", fmt.Sprint(i))
					}))
				}
				r := newRig(t, rigOptions{addrs: addrs, server: speaks(t, front), upstream: func(u *config.Upstream) { reaches(behind)(u); u.Sticky = "cookie:lb" }})
				c, base := r.user(front)
				seen := map[string]bool{}
				for range 12 {
					resp, _ := r.fetch(c, "GET", base+"/", nil)
					cookies := resp.Cookies()
					if len(cookies) != 2 || cookies[0].Name != "own" || cookies[1].Name != "lb" {
						t.Fatalf("cookies %v", cookies)
					}
					lb, at := cookies[1], resp.Header.Get("X-Backend")
					if lb.Path != "/" || !lb.HttpOnly || lb.SameSite != http.SameSiteLaxMode || lb.Secure != strings.HasSuffix(front, "tls") {
						t.Errorf("cookie %v", lb)
					}
					seen[at] = true
					for range 5 {
						req, err := http.NewRequest("GET", base+"/", nil)
						must(t, err)
						req.AddCookie(&http.Cookie{Name: "other", Value: "x"})
						req.AddCookie(&http.Cookie{Name: "lb", Value: lb.Value})
						resp, err := c.Do(req)
						must(t, err)
						resp.Body.Close()
						if got := resp.Header.Get("X-Backend"); got != at || len(resp.Cookies()) != 1 {
							t.Errorf("with the cookie of %s came to %s, cookies %v", at, got, resp.Cookies())
						}
					}
				}
				if len(seen) != 4 {
					t.Errorf("clients without a cookie came to %d of 4 backends", len(seen))
				}
			})
		}
	}
}
