package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// inEveryWorker asks on connections of their own until both workers have answered, and fails when any answer is wrong.
func (i *instance) inEveryWorker(addr string, check func() error) {
	i.t.Helper()
	before := map[int]uint64{}
	for _, w := range i.status().workers() {
		before[w.PID] = w.Requests
	}
	i.eventually("an answer of every worker", func() error {
		for range 20 {
			if err := check(); err != nil {
				i.t.Fatal(err)
			}
		}
		for _, w := range i.status().workers() {
			if w.Requests <= before[w.PID] {
				return fmt.Errorf("worker %d has had no request", w.Slot)
			}
		}
		return nil
	})
}

func TestHotChangesAreLiveInAllWorkersWhenReloadReturns(t *testing.T) {
	t.Parallel()
	one, two := newBackend(t, "one"), newBackend(t, "two")
	addr := freePort(t)
	log := filepath.Join(workDir(t), "access.log")
	base := insert(proxyConf(addr, one.addr), "servers.web", fmt.Sprintf("access_log = %q", log+"?rolling=never {method} {uri}"))
	i := start(t, base)
	pids := i.status().pids()
	for n, c := range []struct {
		name, conf string
		check      func() error
	}{
		{"upstream", strings.Replace(base, one.addr, two.addr, 1), func() error { return want(addr, "/", "two") }},
		{"location", strings.Replace(base, `path = "/"`, `path = "/only"`, 1), func() error {
			a, err := fetch(addr, get("/other"))
			if err == nil && a.status != 404 {
				err = fmt.Errorf("status %d", a.status)
			}
			return err
		}},
		{"plugin", insert(base, "locations.all", `plugins = ["deny"]`) + "\n[plugins.deny]\ncategory = \"mock\"\nstatus = 403\n", func() error {
			a, err := fetch(addr, get("/"))
			if err == nil && a.status != 403 {
				err = fmt.Errorf("status %d", a.status)
			}
			return err
		}},
		{"log format", strings.Replace(base, "{method} {uri}", "{uri} format-two", 1), func() error { return want(addr, "/logged", "one") }},
	} {
		r := i.change(c.conf)
		contains(t, r.stdout, fmt.Sprintf("applied: version %d", n+2), "hot", "2 workers")
		i.inEveryWorker(addr, c.check)
	}
	i.eventually("lines in the new format", func() error {
		text := read(t, log)
		if !strings.Contains(text, "/logged format-two\n") || strings.Contains(text, "GET /logged") {
			return fmt.Errorf("log: %q", tail(text, 300))
		}
		return nil
	})
	if now := i.status().pids(); !slices.Equal(now, pids) {
		t.Errorf("workers were replaced: %v, then %v", pids, now)
	}
}

func TestABadConfigurationIsRefusedAndTheOldServesOn(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "old")
	addr := freePort(t)
	conf := proxyConf(addr, b.addr)
	i := start(t, conf)
	before := i.status()
	for _, m := range mistakes() {
		write(t, i.conf, m.conf)
		r := i.verb("reload", "--wait")
		if r.code != 1 {
			t.Errorf("%s: exit code %d", m.name, r.code)
		}
		contains(t, r.stderr, "refused", m.line, m.key, m.expected)
		if err := want(addr, "/", "old"); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	after := i.status()
	if after.Config.SHA != before.Config.SHA || !slices.Equal(after.pids(), before.pids()) {
		t.Errorf("before %v, after %v", before, after)
	}
	if !after.Config.Source.Differs || after.Config.Source.Refused == "" {
		t.Errorf("status does not tell: %+v", after.Config)
	}
	write(t, i.conf, conf)
	contains(t, i.reload().stdout, "unchanged: version 1")
}

// What is not hot becomes live with all hot changes beside it, and needs no restart.
func TestAChangeThatIsNotHotIsAppliedWhole(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "old")
	addr, other := freePort(t), freePort(t)
	base := proxyConf(addr, b.addr)
	i := start(t, base)
	hot := insert(base, "locations.all", `plugins = ["text"]`) + "\n[plugins.text]\ncategory = \"mock\"\ndata = \"new\"\n"
	_, port, _ := net.SplitHostPort(addr)
	everywhere := strings.Replace(hot, addr, "0.0.0.0:"+port, 1)
	for _, c := range []struct{ name, conf, address, class, body string }{
		{"another address", strings.Replace(hot, addr, other, 1), other, "listeners", "new"},
		{"the old address again", base, addr, "listeners", "old"},
		{"a server more", hot + fmt.Sprintf("\n[servers.more]\naddr = %q\n", other), addr, "listeners", "new"},
		{"other options of the same address", insert(hot, "servers.web", "reuse_port = true"), addr, "roll", "new"},
		{"every address instead of one", everywhere, addr, "roll", "new"},
		{"one instead of every address", hot, addr, "listeners", "new"},
		{"threads", base + "\n[basic]\nthreads = 1\n", addr, "roll", "old"},
	} {
		write(t, i.conf, c.conf)
		r := i.verb("reload", "--wait")
		if r.code != 0 {
			t.Fatalf("%s: exit code %d: %s", c.name, r.code, r.all())
		}
		contains(t, r.stdout, "applied", c.class)
		if err := within(patience, func() error { return want(c.address, "/", c.body) }); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := connect(other); err == nil {
		t.Errorf("%s, which no server has any more, accepts", other)
	}
}

func TestFiftyReloadsUnderLoadCostNoRequest(t *testing.T) {
	t.Parallel()
	backends := []*backend{newBackend(t, "one"), newBackend(t, "two")}
	addr := freePort(t)
	conf := func(n int) string {
		c := proxyConf(addr, backends[n%2].addr, fmt.Sprintf("[locations.n%d]\npath = \"/n%d\"\nupstream = \"app\"\n", n, n))
		return strings.Replace(c, `locations = ["all"]`, fmt.Sprintf(`locations = ["all", "n%d"]`, n), 1)
	}
	i := start(t, conf(0))
	pids := i.status().pids()
	l := runLoad(t, addr, usualMix(4)...)
	for n := 1; n <= 50; n++ {
		i.change(conf(n))
		if n%10 == 0 {
			if err := want(addr, fmt.Sprintf("/n%d", n), backends[n%2].name); err != nil {
				t.Errorf("after reload %d: %v", n, err)
			}
			l.progress(t, 20)
		}
	}
	l.mustBeClean(t)
	t.Log(l.report())
	st := i.status()
	if st.Config.Version != 51 || !slices.Equal(st.pids(), pids) {
		t.Errorf("version %d, workers %v, were %v", st.Config.Version, st.pids(), pids)
	}
}

// editors are the ways in which programs save a file.
func editors() map[string]func(t *testing.T, path, text string) {
	return map[string]func(t *testing.T, path, text string){
		"InPlace": write,
		"RenamedOver": func(t *testing.T, path, text string) {
			write(t, path+".tmp", text)
			rename(t, path+".tmp", path)
		},
		"BackupThenNew": func(t *testing.T, path, text string) {
			rename(t, path, path+"~")
			write(t, path, text)
		},
		"LinkSwapped": swapLink,
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// swapLink makes path a link to a new file behind a link to its directory, as mounted configuration volumes do.
func swapLink(t *testing.T, path, text string) {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(path), "data-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, filepath.Base(path)), text)
	current := filepath.Join(filepath.Dir(path), "current")
	for link, to := range map[string]string{current: filepath.Base(dir), path: filepath.Join("current", filepath.Base(path))} {
		if now, err := os.Readlink(link); err == nil && now == to {
			continue
		}
		if err := os.Symlink(to, link+".new"); err != nil {
			t.Fatal(err)
		}
		rename(t, link+".new", link)
	}
}

func TestAutoreloadSeesEveryWayOfSaving(t *testing.T) {
	t.Parallel()
	for name, save := range editors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, addr := workDir(t), freePort(t)
			path := filepath.Join(dir, "etc", "pingap.toml")
			write(t, filepath.Dir(path)+"/keep", "")
			write(t, path, mockConf(addr, "0"))
			if name == "LinkSwapped" {
				save(t, path, mockConf(addr, "0"))
			}
			i := startIn(t, dir, path, "--autoreload")
			pids := i.status().pids()
			for n := 1; n <= 3; n++ {
				save(t, path, mockConf(addr, fmt.Sprint(n)))
				saved := time.Now()
				i.eventually("the change", func() error { return want(addr, "/", fmt.Sprint(n)) })
				// It takes 300 ms of quiet and the apply; the bound is for loaded machines.
				took := time.Since(saved)
				t.Logf("live after %v", took.Round(time.Millisecond))
				if took > applyBound() {
					t.Errorf("live only after %v", took)
				}
			}
			if now := i.status().pids(); !slices.Equal(now, pids) {
				t.Errorf("workers were replaced: %v, then %v", pids, now)
			}
		})
	}
}

func TestAutoreloadKeepsServingWhenTheFileIsBad(t *testing.T) {
	t.Parallel()
	dir, addr := workDir(t), freePort(t)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, mockConf(addr, "good"))
	i := startIn(t, dir, path, "--autoreload")
	write(t, path, mockConf("nowhere", "bad"))
	i.eventually("the refusal in status", func() error {
		if refused := i.status().Config.Source.Refused; refused == "" {
			return errors.New("nothing refused")
		}
		return nil
	})
	if err := want(addr, "/", "good"); err != nil {
		t.Error(err)
	}
	contains(t, i.printed(), "servers.web.addr")
	write(t, path, mockConf(addr, "better"))
	i.eventually("the repaired file", func() error { return want(addr, "/", "better") })
}

// An untouched upstream keeps its pooled connections over a reload.
func TestPoolsOfUntouchedUpstreamsSurvive(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	b := newBackend(t, "kept")
	conf := insert(proxyConf(addr, b.addr), "locations.all", `plugins = ["mark"]`) +
		"\n[plugins.mark]\ncategory = \"response_headers\"\nset_headers = [\"X-Reused::upstream_reused\"]\n"
	i := start(t, conf)
	c := dial(t, addr) // one connection: one worker, one pool
	reused := func() bool {
		a, err := c.do(get("/"))
		if err != nil || a.status != http.StatusOK {
			t.Fatalf("%+v, %v", a, err)
		}
		return a.header.Get("X-Reused") == "true"
	}
	if reused() {
		t.Error("the first request found a pooled connection")
	}
	i.change(conf + "\n[locations.more]\npath = \"/more\"\nupstream = \"app\"\n")
	if !reused() {
		t.Error("the pool was lost with a change elsewhere")
	}
}

// Many people may ask at once; every one is told the outcome, and the last contents are live.
func TestReloadsAtTheSameTimeAllSucceed(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "0"))
	results := make(chan result, 8)
	write(t, i.conf, mockConf(addr, "1"))
	for range cap(results) {
		go func() { results <- i.verb("reload", "--wait") }() // ends with its answer
	}
	for range cap(results) {
		if r := <-results; r.code != 0 {
			t.Errorf("reload: %+v", r)
		}
	}
	i.inEveryWorker(addr, func() error { return want(addr, "/", "1") })
	if v := i.status().Config.Version; v != 2 {
		t.Errorf("version %d: the same contents were applied more than once", v)
	}
}
