package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// limited is a proxy with a limit on its location.
func limited(addr, upstream, table string) string {
	conf := insert(proxyConf(addr, upstream), "locations.all", `plugins = ["few"]`)
	return conf + "\n[plugins.few]\ncategory = \"limit\"\n" + table
}

// crowd sends requests over fresh connections, which go to all workers, until it is told to stop.
type crowd struct {
	wg      sync.WaitGroup
	stopped atomic.Bool
	passed  atomic.Int64
	refused atomic.Int64
	lost    atomic.Int64 // nobody knows whether they passed
}

func (c *crowd) begin(clients int, fields string, addrs ...string) {
	for n := range clients {
		c.wg.Go(func() {
			for !c.stopped.Load() {
				a, err := fetch(addrs[n%len(addrs)], get("/", strings.Fields(fields)...))
				switch {
				case err != nil:
					c.lost.Add(1)
				case a.status == 200:
					c.passed.Add(1)
				case a.status == 429:
					c.refused.Add(1)
				default:
					c.lost.Add(1)
				}
			}
		})
	}
}

func (c *crowd) stop() {
	c.stopped.Store(true)
	c.wg.Wait()
}

// goesOn waits until so many more have been refused.
func (c *crowd) goesOn(i *instance) {
	i.t.Helper()
	goal := c.refused.Load() + 40
	i.eventually("more requests", func() error { return atLeast(c.refused.Load(), goal) })
}

// A client has what it has over all workers, whatever becomes of them and of the configuration.
func TestARateHoldsOverWorkersReloadsRollsAndDeaths(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	const most = 50
	table := "max = 50\ninterval = \"1h\"\ntag = \"header\"\nkey = \"x-client\"\n"
	conf := limited(addr, b.addr, table)
	i := start(t, conf)
	c := &crowd{}
	c.begin(6, "X-Client:a", addr)
	defer c.stop()
	i.eventually("the limit", func() error { return atLeast(c.refused.Load(), 40) })
	i.change(conf + "\n[locations.other]\npath = \"/other\"\nupstream = \"app\"\n") // another location
	c.goesOn(i)
	i.change(limited(addr, b.addr, table+"headers = true\n")) // the plugin is built anew
	c.goesOn(i)
	i.roll()
	c.goesOn(i)
	for _, w := range i.status().workers() {
		if w.State == "active" { // one that drains may have ended by now
			signalPID(t, w.PID, syscall.SIGKILL)
			break
		}
	}
	c.goesOn(i)
	i.waitRunning()
	c.goesOn(i)
	c.stop()
	if got := b.requests.Load(); got != most {
		t.Errorf("%d requests reached the backend, want %d (%d passed, %d were refused, %d lost)", got, most, c.passed.Load(), c.refused.Load(), c.lost.Load())
	}
	a := mustGet(t, addr, "/", 200, "X-Client: b")
	if got := a.header.Get("RateLimit") + " " + a.header.Get("RateLimit-Policy"); got != `"few";r=49;t=72 "few";q=50;w=3600` {
		t.Errorf("another client is told %s", got)
	}
	a = mustGet(t, addr, "/", 429, "X-Client: a")
	text := string(a.body) // what would be charged with this one: 51, less what has become free since
	if a.header.Get("Retry-After") == "" || !strings.HasPrefix(text, "Plugin limit, exceed limit 50.") && text != "Plugin limit, exceed limit 51/50" {
		t.Errorf("%v %s", a.header, a.body)
	}
	mustGet(t, addr, "/", 200)
}

// The shared memory goes from one supervisor to the next.
func TestARateHoldsOverADeadSupervisorAndAnUpgrade(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	two := builds(t)
	i := startOwn(t, limited(addr, b.addr, "max = 50\ninterval = \"1h\"\n"))
	c := &crowd{}
	c.begin(4, "", addr)
	defer c.stop()
	c.goesOn(i)
	i.killSupervisor()
	c.goesOn(i)
	i.again()
	i.waitRunning()
	c.goesOn(i)
	i.install(two[1])
	if r := i.verb("upgrade", "--wait"); r.code != 0 {
		t.Fatalf("upgrade: exit code %d: %s", r.code, r.all())
	}
	c.goesOn(i)
	c.stop()
	if got := b.requests.Load(); got != 50 {
		t.Errorf("%d requests reached the backend, want 50", got)
	}
}

func TestARateIsNeverAboveWhatTimeHasGivenBack(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, limited(addr, b.addr, "max = 100\ninterval = \"1s\"\nburst = 10\nstep = \"proxy_upstream\"\n"))
	began := time.Now()
	c := &crowd{}
	c.begin(8, "", addr)
	defer c.stop()
	i.eventually("time", func() error { return atLeast(int64(time.Since(began)), int64(2*time.Second)) })
	c.stop()
	most := 10 + int64(time.Since(began)/(10*time.Millisecond))
	if got := b.requests.Load(); got > most || got < 20 {
		t.Errorf("%d requests in %v, at most %d", got, time.Since(began), most)
	}
	t.Logf("%d of at most %d passed, %d were refused", b.requests.Load(), most, c.refused.Load())
}

func TestRequestsAtATimeAreExactOverWorkersAndRolls(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	const limit = 5
	i := start(t, limited(addr, b.addr, "type = \"inflight\"\nmax = 5\n"))
	h := &holder{addr: addr, answers: map[int]int{}}
	for range 40 {
		h.request()
	}
	i.eventually("all to be held or refused", func() error { return atLeast(b.now.Load()+int64(h.count(429)), 40) })
	for b.now.Load() < limit { // of those that race for the last one, all may be refused
		held := b.now.Load()
		h.request()
		i.eventually("one more to be held", func() error { return atLeast(b.now.Load(), held+1) })
	}
	i.verb("roll") // the old workers drain, and hold what they hold
	i.eventually("fresh workers beside one that drains", func() error { return atLeast(int64(len(i.status().workers())), 3) })
	for range 20 {
		mustGet(t, addr, "/full", 429)
	}
	b.release()
	h.wg.Wait()
	if most := b.max.Load(); most != limit {
		t.Errorf("the backend had %d requests at once, the maximum is %d", most, limit)
	}
	i.eventually("places", func() error { return want(addr, "/", "app") })
}

func TestWhatADeadWorkerOrAClientThatLeavesHeldIsFree(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, limited(addr, b.addr, "type = \"inflight\"\nmax = 2\n"))
	for range 2 {
		c := dial(t, addr)
		if _, err := c.conn.Write([]byte(get("/hold"))); err != nil {
			t.Fatal(err)
		}
		defer c.close()
		if b.now.Load() == 0 {
			i.eventually("the first request", func() error { return atLeast(b.now.Load(), 1) })
			c.close()
			i.eventually("its end", func() error { return atLeast(b.gone.Load(), 1) })
			i.eventually("its place", func() error { return want(addr, "/", "app") })
		}
	}
	for b.now.Load() < 2 {
		held := b.now.Load()
		go func() { _, _ = fetch(addr, get("/hold")) }() // ends with the worker
		i.eventually("one more", func() error { return atLeast(b.now.Load(), held+1) })
	}
	mustGet(t, addr, "/", 429)
	for _, pid := range i.status().pids() {
		signalPID(t, pid, syscall.SIGKILL)
	}
	i.eventually("places", func() error { return want(addr, "/", "app") })
}

// redisServer is a real Redis that tests kill and start again.
type redisServer struct {
	t    *testing.T
	addr string
	cmd  *exec.Cmd
}

func newRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	s := &redisServer{t: t, addr: freePort(t)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", "geheim-77")
	s.cmd.Dir = s.t.TempDir()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	err := within(patience, func() error {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
}

// Two instances share a limit. Without Redis each has its own, and says so.
func TestARateInRedisHoldsOverInstances(t *testing.T) {
	t.Parallel()
	r := newRedis(t)
	b := newBackend(t, "app")
	var all []*instance
	var addrs []string
	table := fmt.Sprintf("max = 60\ninterval = \"1h\"\ntag = \"header\"\nkey = \"x-client\"\nstorage = \"redis://:geheim-77@%s\"\nstorage_timeout = \"2s\"\n", r.addr)
	for range 2 {
		addrs = append(addrs, freePort(t))
		all = append(all, start(t, limited(addrs[len(addrs)-1], b.addr, table)))
	}
	begin := func(client string) *crowd {
		c := &crowd{}
		c.begin(6, "X-Client:"+client, addrs...)
		return c
	}
	c := begin("a")
	c.goesOn(all[0])
	all[0].roll()
	c.goesOn(all[0])
	r.kill() // under load
	c.goesOn(all[0])
	c.stop()
	if got := b.requests.Load(); got < 60 || got > 3*60 || c.lost.Load() > 0 {
		t.Errorf("%d passed for 60 in Redis, and 60 in each instance; %d lost", got, c.lost.Load())
	}
	c = begin("b")
	c.goesOn(all[0])
	c.stop()
	for n, addr := range addrs { // each has its own now
		mustGet(t, addr, "/", 429, "X-Client: b")
		all[n].eventually("the word that the storage is away", func() error { return says(all[n], "the storage is away") })
	}
	r.start()
	for n := range addrs {
		all[n].eventually("the word that it is back in both workers", func() error { return said(all[n], "the storage is back", "the storage is away") })
	}
	before := b.requests.Load()
	c = begin("c")
	c.goesOn(all[0])
	c.stop()
	if got := b.requests.Load() - before; got != 60 {
		t.Errorf("%d passed when it was back, want 60", got)
	}
	for _, i := range all {
		if strings.Contains(i.printed(), "geheim-77") {
			t.Error("the password is in the log")
		}
	}
}

func says(i *instance, text string) error {
	if !strings.Contains(i.printed(), text) {
		return fmt.Errorf("%q was not said", text)
	}
	return nil
}

// said reports whether one text was said as often as another.
func said(i *instance, text, as string) error {
	log := i.printed()
	if got, want := strings.Count(log, text), strings.Count(log, as); got < want {
		return fmt.Errorf("%q was said %d times, want %d", text, got, want)
	}
	return nil
}
