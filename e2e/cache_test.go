package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// origin is an upstream that counts what it is asked for, and may be made to wait.
type origin struct {
	addr  string
	asked sync.Map // path to *atomic.Int64
	gates sync.Map // path to a channel: what comes is answered when it is closed
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{}
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(server.Close)
	o.addr = server.Listener.Addr().String()
	return o
}

// serve answers /n with n bytes; X-Half in the query sends half of it before the gate.
func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	o.count(r.URL.Path).Add(1)
	n, _ := strconv.Atoi(filepath.Base(r.URL.Path))
	body := strings.Repeat("0123456789abcdef", n/16+1)[:n]
	w.Header().Set("Cache-Control", "max-age=600")
	w.Header().Set("Cache-Tag", "all")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	if r.URL.RawQuery == "half" {
		_, _ = w.Write([]byte(body[:n/2]))
		w.(http.Flusher).Flush()
		body = body[n/2:]
	}
	if gate, ok := o.gates.Load(r.URL.Path); ok {
		select {
		case <-gate.(chan struct{}):
		case <-r.Context().Done():
			return
		}
	}
	_, _ = w.Write([]byte(body))
}

func (o *origin) count(path string) *atomic.Int64 {
	n, _ := o.asked.LoadOrStore(path, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func (o *origin) gate(path string) chan struct{} {
	gate := make(chan struct{})
	o.gates.Store(path, gate)
	return gate
}

// cacheConf has a cache on its location.
func cacheConf(addr, upstream, table string) string {
	return insert(proxyConf(addr, upstream), "locations.all", `plugins = ["stored"]`) + "\n[plugins.stored]\ncategory = \"cache\"\nnamespace = \"n\"\n" +
		"purge_ip_list = [\"127.0.0.1\"]\n" + table
}

// openDir is a directory that a worker without privileges can write to.
func openDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(workDir(t), "cache")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { // whatever the mask
		t.Fatal(err)
	}
	return dir
}

// many asks over fresh connections, which go to all workers, and returns what X-Cache said.
func many(t *testing.T, addr, target string, count int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	labels := map[string]int{}
	for range count {
		all.Go(func() {
			a, err := fetch(addr, get(target))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case a.status != 200 || len(a.body) != bytesOf(target):
				t.Errorf("%s: status %d, %d bytes", target, a.status, len(a.body))
			default:
				labels[a.header.Get("X-Cache")]++
			}
		})
	}
	all.Wait()
	return labels
}

func bytesOf(target string) int {
	path, _, _ := strings.Cut(target, "?")
	n, _ := strconv.Atoi(filepath.Base(path))
	return n
}

// Files are shared by all workers: what one has fetched both have, however many ask at once.
func TestACacheInFilesAsksOnceForAllWorkers(t *testing.T) {
	t.Parallel()
	o, addr, dir := newOrigin(t), freePort(t), openDir(t)
	conf := cacheConf(addr, o.addr, fmt.Sprintf("directory = %q\nlock = \"30s\"\nmax_file_size = \"2mb\"\n", dir+"/x?max_size=100mb"))
	i := start(t, conf)
	for _, path := range []string{"/1000", "/65536", "/1048576"} {
		gate := o.gate(path)
		go func() {
			if err := within(time.Minute, func() error { return atLeast(o.count(path).Load(), 1) }); err != nil {
				t.Error(err)
			}
			close(gate)
		}()
		labels := many(t, addr, path, 40)
		if n := o.count(path).Load(); n != 1 || labels["miss"] != 1 || labels["hit"] != 39 {
			t.Errorf("%s: asked %d times, %v", path, n, labels)
		}
	}
	if a := mustGet(t, addr, "/65536", 206, "Range:bytes=65530-"); string(a.body) != "abcdef" {
		t.Errorf("range: %q", a.body)
	}
	info, err := os.Stat(dir + "/x")
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	i.end()
	start(t, conf) // and it is there after a restart
	if labels := many(t, addr, "/1048576", 10); labels["hit"] != 10 {
		t.Errorf("after a restart: %v", labels)
	}
	if err := purge(addr, "/65536", 204); err != nil {
		t.Error(err)
	}
	if labels := many(t, addr, "/65536", 20); labels["hit"] == 20 {
		t.Error("purged, and there")
	}
}

// purge asks for a purge, and checks the status.
func purge(addr, target string, status int, fields ...string) error {
	a, err := fetch(addr, send("PURGE", target, "", fields...))
	if err == nil && a.status != status {
		err = fmt.Errorf("PURGE %s: %d %s", target, a.status, a.body)
	}
	return err
}

// A worker that dies while it fetches for all leaves nobody waiting, and nothing that is half.
func TestAKilledLeaderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	o, addr, dir := newOrigin(t), freePort(t), openDir(t)
	i := start(t, cacheConf(addr, o.addr, fmt.Sprintf("directory = %q\nlock = \"60s\"\n", dir)))
	const path = "/50000"
	gate := o.gate(path)
	leader, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	if _, err := leader.Write([]byte(get(path + "?half"))); err != nil {
		t.Fatal(err)
	}
	i.eventually("the leader's request", func() error { return atLeast(o.count(path).Load(), 1) })
	time.Sleep(50 * time.Millisecond) // the half is on its way into a file; without it the test is weaker, not wrong
	done := make(chan map[string]int)
	victims := i.status().pids()
	for _, pid := range victims { // whichever leads
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	close(gate)
	begin := time.Now()
	go func() { done <- many(t, addr, path+"?half", 8) }()
	labels := <-done
	if took := time.Since(begin); took > 45*time.Second {
		t.Errorf("waited %s", took)
	}
	if labels["miss"] < 1 {
		t.Errorf("%v", labels)
	}
	i.eventually("what dead workers wrote is gone", func() error {
		left, err := filepath.Glob(filepath.Join(dir, "tmp", "*", "*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%q", left)
		}
		return err
	})
}

// In memory one worker fetches once for all that ask it, and big bodies stream along.
func TestACacheInMemoryStreamsAlong(t *testing.T) {
	t.Parallel()
	o, addr := newOrigin(t), freePort(t)
	i := start(t, cacheConf(addr, o.addr, "directory = \"memory://?max_size=64mb\"\nlock = \"30s\"\nmax_file_size = \"8mb\"\n"), "--workers", "1")
	const path = "/4000000"
	gate := o.gate(path)
	var halves sync.WaitGroup
	for range 6 {
		halves.Add(1)
		go func() {
			c, err := connect(addr)
			if err != nil {
				t.Error(err)
				halves.Done()
				return
			}
			defer c.close()
			_, err = c.conn.Write([]byte(get(path + "?half")))
			buf := make([]byte, 1<<20)
			for got := 0; got < 2_000_000 && err == nil; {
				var n int
				n, err = c.conn.Read(buf)
				got += n
			}
			if err != nil {
				t.Error(err)
			}
			halves.Done() // half of it is here while the upstream waits
		}()
	}
	halves.Wait()
	close(gate)
	if n := o.count(path).Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	i.eventually("the fill", func() error {
		labels := many(t, addr, path+"?half", 1)
		if labels["hit"] != 1 {
			return fmt.Errorf("%v", labels)
		}
		return nil
	})
	if n := o.count(path).Load(); n != 1 {
		t.Errorf("those who left ended the fill: asked %d times", n)
	}
	if err := purge(addr, "/*", 200); err != nil {
		t.Error(err)
	}
	i.change(cacheConf(addr, o.addr, "directory = \"memory://?max_size=64mb\"\nmax_ttl = \"1h\"\n"))
	many(t, addr, "/100", 1)
	i.change(cacheConf(addr, o.addr, "directory = \"memory://?max_size=64mb\"\nmax_ttl = \"2h\"\n"))
	if labels := many(t, addr, "/100", 1); labels["hit"] != 1 {
		t.Errorf("an apply emptied the store: %v", labels)
	}
}

// A stale response is used while it is fetched anew, and where that fails.
func TestStaleResponsesAreUsedAndFetchedAnew(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if r.URL.Path == "/fails" && n > 1 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=60, stale-if-error=60")
		if r.URL.Path == "/fails" {
			w.Header().Set("Cache-Control", "max-age=60, stale-if-error=60")
		}
		if n == 1 {
			w.Header().Set("Age", "60")
		}
		_, _ = fmt.Fprint(w, n)
	}))
	t.Cleanup(server.Close)
	addr := freePort(t)
	i := start(t, cacheConf(addr, server.Listener.Addr().String(), fmt.Sprintf("directory = %q\n", openDir(t))))
	mustGet(t, addr, "/a", 200)
	if a := mustGet(t, addr, "/a", 200); string(a.body) != "1" || a.header.Get("X-Cache") != "updating" {
		t.Errorf("%s %v", a.body, a.header)
	}
	i.eventually("the new one", func() error {
		a, err := fetch(addr, get("/a"))
		if err == nil && (string(a.body) != "2" || a.header.Get("X-Cache") != "hit") {
			err = fmt.Errorf("%s %v", a.body, a.header)
		}
		return err
	})
	asked.Store(0)
	mustGet(t, addr, "/fails", 200)
	for range 3 {
		if a := mustGet(t, addr, "/fails", 200); string(a.body) != "1" || a.header.Get("X-Cache") != "stale" {
			t.Errorf("%s %v", a.body, a.header)
		}
	}
}
