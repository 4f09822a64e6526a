package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// admin is a client of the admin interface on the socket of the run directory.
type admin struct {
	t      *testing.T
	client *http.Client
}

func (i *instance) admin() *admin {
	i.t.Helper()
	path := filepath.Join(i.runDir, "admin.sock")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	i.t.Cleanup(transport.CloseIdleConnections)
	return &admin{t: i.t, client: &http.Client{Transport: transport, Timeout: patience}}
}

// apiReply is an answer of the interface.
type apiReply struct {
	status int
	tag    string
	body   string
}

// ask sends a request; an empty body is none. fields are names and values.
func (a *admin) ask(method, path, body string, fields ...string) apiReply {
	a.t.Helper()
	r, err := a.try(method, path, body, fields...)
	if err != nil {
		a.t.Fatal(err)
	}
	return r
}

func (a *admin) try(method, path, body string, fields ...string) (apiReply, error) {
	req, err := http.NewRequest(method, "http://localhost/api"+path, strings.NewReader(body))
	if err != nil {
		return apiReply{}, err
	}
	for n := 0; n+1 < len(fields); n += 2 {
		req.Header.Set(fields[n], fields[n+1])
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return apiReply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return apiReply{resp.StatusCode, resp.Header.Get("ETag"), string(text)}, err
}

// answered asks, and reads the JSON of an answer that must have a status.
func answered[T any](a *admin, status int, method, path, body string, fields ...string) (value T) {
	a.t.Helper()
	r := a.ask(method, path, body, fields...)
	if r.status != status {
		a.t.Fatalf("%s %s: status %d, want %d: %s", method, path, r.status, status, tail(r.body, 2000))
	}
	if r.body == "" {
		return value
	}
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		a.t.Fatalf("%s %s: %v: %s", method, path, err, tail(r.body, 500))
	}
	return value
}

// outcome is what the tests need of an applied change, preview of a dry run, apiError of an error.
type outcome struct {
	Version uint64  `json:"version"`
	SHA     string  `json:"sha"`
	Class   string  `json:"class"`
	TookMS  float64 `json:"took_ms"`
	Changes []struct {
		Object string `json:"object"`
		Op     string `json:"op"`
	} `json:"changes"`
	Workers []struct {
		PID     int    `json:"pid"`
		Version uint64 `json:"version"`
	} `json:"workers"`
}

type preview struct {
	Class string `json:"class"`
	Text  string `json:"text"`
	Base  string `json:"base"`
}

type apiError struct {
	Message string   `json:"message"`
	UsedBy  []string `json:"used_by"`
	Errors  []struct {
		File   string `json:"file"`
		Line   int    `json:"line"`
		Key    string `json:"key"`
		Object string `json:"object"`
	} `json:"errors"`
}

// hand gives the configuration to whom control runs as: what control cannot write the interface cannot change.
func (i *instance) hand(path string) {
	i.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	uid, gid := nobody, nobody
	for _, p := range []string{filepath.Dir(path), path} {
		err := filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err != nil || strings.HasPrefix(name, i.runDir) || strings.HasPrefix(name, filepath.Join(i.dir, "state")) {
				return nil
			}
			return os.Chown(name, uid, gid)
		})
		if err != nil {
			i.t.Fatal(err)
		}
	}
}

// sources are the ways in which a small configuration is kept, and what -c is given.
func sources(t *testing.T, addr, backend string) map[string]string {
	t.Helper()
	dir := workDir(t)
	comment := "# somebody's words about the whole\n"
	parts := strings.Split(strings.TrimSpace(proxyConf(addr, backend)), "\n\n")
	for n, name := range []string{"servers", "locations", "upstreams"} {
		write(t, filepath.Join(dir, "types", name+".toml"), comment+parts[n]+"\n")
	}
	for n, name := range []string{"servers/web", "locations/all", "upstreams/app"} {
		write(t, filepath.Join(dir, "items", name+".toml"), comment+parts[n]+"\n")
	}
	write(t, filepath.Join(dir, "one", "p.toml"), comment+strings.Join(parts, "\n\n")+"\n")
	return map[string]string{"SingleFile": filepath.Join(dir, "one", "p.toml"), "Directory": filepath.Join(dir, "types"),
		"Separation": filepath.Join(dir, "items") + "?separation=true&enable_history=true"}
}

// textOf is all that a configuration holds, by file.
func textOf(t *testing.T, path string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[name] = read(t, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameText(a, b map[string]string) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// addAPI is a transaction that brings a location with its upstream.
func addAPI(backend string) string {
	return fmt.Sprintf(`{"set":{"upstream":{"api":{"addrs":[%q],"remark":"new"}},"location":{"api":{"path":"/api","upstream":"api"}},
		"server":{"web":{"addr":"ADDR","locations":["all","api"]}}}}`, backend)
}

func TestObjectsAreChangedThroughTheAPIInEveryLayout(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	app, api := newBackend(t, "app"), newBackend(t, "api")
	for name, conf := range sources(t, addr, app.addr) {
		t.Run(name, func(t *testing.T) { changesAreLive(t, conf, addr, app, api) })
	}
}

func changesAreLive(t *testing.T, conf, addr string, app, api *backend) {
	path, _, _ := strings.Cut(conf, "?")
	i := startIn(t, workDir(t), conf)
	i.hand(path)
	a := i.admin()
	before := textOf(t, path)
	body := strings.Replace(addAPI(api.addr), "ADDR", addr, 1)

	p := answered[preview](a, 200, "POST", "/changes?dry_run", body)
	contains(t, p.Text, `+upstream = "api"`, "+[upstreams.api]", `+locations = ["all", "api"]`)
	if p.Class != "hot" || p.Base != "1" || !sameText(before, textOf(t, path)) || i.status().Config.Version != 1 {
		t.Errorf("a dry run has done something: %+v", p)
	}

	done := answered[outcome](a, 200, "POST", "/changes", body, "If-Match", `"1"`)
	if done.Version != 2 || done.Class != "hot" || len(done.Changes) != 3 || len(done.Workers) != 2 {
		t.Errorf("%+v", done)
	}
	for _, w := range done.Workers {
		if w.Version != 2 {
			t.Errorf("worker %+v has not version 2", w)
		}
	}
	if err := want(addr, "/api/x", api.name); err != nil {
		t.Errorf("the new location is not served: %v", err)
	}
	if s := i.status(); s.Config.Source.Differs || s.Config.Version != 2 {
		t.Errorf("live and source differ: %+v", s.Config)
	}
	for file, text := range textOf(t, path) {
		if _, old := before[file]; old && !strings.HasPrefix(text, "# somebody's words") {
			t.Errorf("%s lost its comment:\n%s", file, text)
		}
	}

	if r := a.ask("POST", "/changes", body, "If-Match", `"1"`); r.status != 412 {
		t.Errorf("a lost update: %+v", r)
	}
	guard := answered[apiError](a, 409, "DELETE", "/configs/upstream/api", "")
	if !slices.Equal(guard.UsedBy, []string{"location:api"}) || guard.Message != "upstream(api) is in used by location(api)" {
		t.Errorf("%+v", guard)
	}
	brokenIsRefused(t, i, a, path)

	back := answered[outcome](a, 200, "POST", "/versions/1/rollback", "")
	if back.Version != 3 || i.status().Config.Source.Differs {
		t.Errorf("%+v, %+v", back, i.status().Config)
	}
	for file, text := range textOf(t, path) {
		if text != before[file] {
			t.Errorf("after the rollback %s holds\n%s\nwant\n%s", file, text, before[file])
		}
	}
	if err := want(addr, "/api/x", app.name); err != nil {
		t.Errorf("the location is served after the rollback: %v", err)
	}
	i.reload() // what is live and what the source holds are the same
	if v := i.status().Config.Version; v != 3 {
		t.Errorf("version %d after a reload", v)
	}
}

// brokenIsRefused sends a change with mistakes, and looks whether all have their places and nothing else is another.
func brokenIsRefused(t *testing.T, i *instance, a *admin, path string) {
	t.Helper()
	before := textOf(t, path)
	bad := answered[apiError](a, 422, "POST", "/changes", `{"set":{"upstream":{"api":{"addrs":["127.0.0.1:x"],"idle_timeout":"5"}},"location":{"api":{"path":"~(","upstream":"nope"}}}}`)
	found := map[string]bool{}
	for _, e := range bad.Errors {
		if found[e.Object+" "+e.Key] = true; e.File == "" || e.Line == 0 {
			t.Errorf("no place: %+v", e)
		}
	}
	for _, want := range []string{"upstream:api upstreams.api.addrs[0]", "upstream:api upstreams.api.idle_timeout", "location:api locations.api.path", "location:api locations.api.upstream"} {
		if !found[want] {
			t.Errorf("no error at %s: %+v", want, bad)
		}
	}
	if !sameText(before, textOf(t, path)) || i.status().Config.Version != 2 {
		t.Error("what is invalid was written")
	}
}

func TestTheSourceGetsBackWhatItHadWhenAnApplyIsRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr, b := freePort(t), newBackend(t, "app")
	i := start(t, proxyConf(addr, b.addr), "--autoreload")
	i.hand(i.conf)
	a, before := i.admin(), read(t, i.conf)
	body := fmt.Sprintf(`{"set":{"server":{"second":{"addr":%q,"locations":["all"]}}}}`, taken.Addr())
	r := a.ask("POST", "/changes", body)
	if r.status != 422 && r.status != 503 || !strings.Contains(r.body, "address already in use") {
		t.Errorf("%+v", r)
	}
	if now := read(t, i.conf); now != before {
		t.Errorf("the source holds\n%s", now)
	}
	if s := i.status(); s.Config.Version != 1 || s.Config.Source.Differs {
		t.Errorf("%+v", s.Config)
	}
	// The next change is as if nothing had been.
	if done := answered[outcome](a, 200, "POST", "/changes", `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:1"]}}}}`); done.Version != 2 {
		t.Errorf("%+v", done)
	}
	mustGet(t, addr, "/", 200)
}

func TestARollbackMendsASourceWithErrors(t *testing.T) {
	t.Parallel()
	addr, b := freePort(t), newBackend(t, "app")
	i := start(t, "[basic]\nname = \"one\"\n"+proxyConf(addr, b.addr))
	i.hand(i.conf)
	a := i.admin()
	text := read(t, i.conf)
	broken := strings.Replace(strings.Replace(text, `path = "/"`, `path = "~("`, 1), `name = "one"`, "workers = \"x\"", 1) + "\n[locations.more]\nupstream = \"none\"\n"
	if err := os.WriteFile(i.conf, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	done := answered[outcome](a, 200, "POST", "/versions/1/rollback", "")
	now := read(t, i.conf)
	if s := i.status(); s.Config.Source.Differs || done.Version != s.Config.Version || strings.Contains(now, "locations.more") {
		t.Errorf("%+v, %+v\n%s", done, s.Config, now)
	}
	contains(t, now, `name = "one"`, "[upstreams.app]")
	if r := i.reload(); r.code != 0 {
		t.Errorf("%s", r.all())
	}
	mustGet(t, addr, "/", 200)
}

func TestManyWritersLoseNothing(t *testing.T) {
	t.Parallel()
	const writers, each = 10, 3
	i := start(t, proxyConf(freePort(t), newBackend(t, "app").addr), "--autoreload")
	i.hand(i.conf)
	a := i.admin()
	var mu sync.Mutex
	versions := map[uint64]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				r, err := a.try("POST", "/changes", fmt.Sprintf(`{"set":{"upstream":{"w%d-%d":{"addrs":["127.0.0.1:1"]}}}}`, w, n))
				var done outcome
				if err == nil && r.status == 200 {
					err = json.Unmarshal([]byte(r.body), &done)
				}
				if err != nil || r.status != 200 {
					t.Errorf("writer %d: %v, %+v", w, err, r)
				}
				mu.Lock()
				versions[done.Version] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for n := range writers * each {
		if !versions[uint64(n+2)] {
			t.Errorf("no version %d", n+2)
		}
	}
	text := read(t, i.conf)
	for w := range writers {
		for n := range each {
			contains(t, text, fmt.Sprintf("[upstreams.w%d-%d]", w, n))
		}
	}
	if s := i.status(); s.Config.Version != writers*each+1 || s.Config.Source.Differs {
		t.Errorf("%+v", s.Config)
	}
}

func TestOfManyWritersOfOneVersionOneWins(t *testing.T) {
	t.Parallel()
	i := start(t, proxyConf(freePort(t), newBackend(t, "app").addr))
	i.hand(i.conf)
	a := i.admin()
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for w := range 8 {
		wg.Go(func() {
			r, err := a.try("POST", "/changes", fmt.Sprintf(`{"set":{"upstream":{"app":{"addrs":["127.0.0.1:%d"]}}}}`, w+1), "If-Match", `"1"`)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			statuses[r.status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[412] != 7 {
		t.Errorf("%v", statuses)
	}
}

// How long a change takes from the request to the answer, by when all workers have it. The figures are in the log of the test.
func TestAChangeIsLiveSoon(t *testing.T) {
	for _, locations := range []int{1, 1000} {
		t.Run(fmt.Sprint(locations), func(t *testing.T) {
			addr, b := freePort(t), newBackend(t, "app")
			conf := proxyConf(addr, b.addr)
			var names []string
			for n := range locations - 1 {
				names = append(names, fmt.Sprintf("%q", fmt.Sprint("l", n)))
				conf += fmt.Sprintf("\n[locations.l%d]\npath = \"/l%d\"\nupstream = \"app\"\nproxy_set_headers = [\"X-N:%d\"]\n", n, n, n)
			}
			conf = strings.Replace(conf, `["all"]`, `["all", `+strings.Join(names, ", ")+`]`, 1)
			i := start(t, conf)
			i.hand(i.conf)
			a := i.admin()
			var took []time.Duration
			for n := range 9 {
				began := time.Now()
				answered[outcome](a, 200, "POST", "/changes", fmt.Sprintf(`{"set":{"location":{"all":{"path":"/","upstream":"app","weight":%d}}}}`, n+1))
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			t.Logf("%d locations: a change is live on all workers after %s (median of %d, slowest %s)", locations, took[len(took)/2].Round(time.Millisecond),
				len(took), took[len(took)-1].Round(time.Millisecond))
			if took[0] > 10*time.Second {
				t.Errorf("the quickest of %d took %s", len(took), took[0])
			}
		})
	}
}

// Control runs as nobody where the supervisor is root's, and as whoever runs the tests otherwise.
func TestAConfigurationThatControlMayNotWriteSaysSo(t *testing.T) {
	t.Parallel()
	addr, b := freePort(t), newBackend(t, "app")
	conf := filepath.Join(workDir(t), "p.toml")
	write(t, conf, proxyConf(addr, b.addr))
	if os.Geteuid() != 0 {
		if err := os.Chmod(filepath.Dir(conf), 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Dir(conf), 0o700) })
	}
	i := startIn(t, workDir(t), conf)
	a, before := i.admin(), read(t, conf)
	type list struct{ Writable string }
	told := ""
	i.eventually("control is no longer root's, and says what it may not", func() error {
		if told = answered[list](a, 200, "GET", "/objects", "").Writable; told == "" {
			return errors.New("it may write")
		}
		return nil
	})
	contains(t, told, "may not write in "+filepath.Dir(conf), "pingap runs as uid")
	change := `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:1"]}}}}`
	if p := answered[preview](a, 200, "POST", "/changes?dry_run", change); !strings.Contains(p.Text, "[upstreams.more]") {
		t.Errorf("%+v", p)
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/changes", change}, {"POST", "/configs/upstream/more", `{"addrs":["127.0.0.1:1"]}`}, {"POST", "/configs/import", proxyConf(addr, "127.0.0.1:1")},
	} {
		if got := answered[apiError](a, 403, c.method, c.path, c.body); got.Message != told {
			t.Errorf("%s: %q, and it is said before: %q", c.path, got.Message, told)
		}
	}
	if now := read(t, conf); now != before || i.status().Config.Version != 1 {
		t.Errorf("version %d, and the file holds\n%s", i.status().Config.Version, now)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(conf, 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, answered[apiError](a, 403, "POST", "/changes", change).Message, conf, "permission denied", "make it readable")
	i.hand(conf)
	if told := answered[list](a, 200, "GET", "/objects", "").Writable; told != "" {
		t.Errorf("after its owner was changed: %s", told)
	}
	if done := answered[outcome](a, 200, "POST", "/changes", change); done.Version != 2 {
		t.Errorf("%+v", done)
	}
}
