package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// versions is what the tests need of `pingap config list --json`.
type versions struct {
	Live     uint64 `json:"live"`
	Versions []struct {
		Number uint64 `json:"number"`
		SHA    string `json:"sha"`
		By     string `json:"by"`
		CopyOf uint64 `json:"copy_of"`
	} `json:"versions"`
}

func (i *instance) versions() versions {
	i.t.Helper()
	var v versions
	if err := json.Unmarshal([]byte(i.mustVerb("config", "list", "--json").stdout), &v); err != nil {
		i.t.Fatal(err)
	}
	return v
}

// mustVerb asks something that has to succeed.
func (i *instance) mustVerb(name string, args ...string) result {
	i.t.Helper()
	r := i.verb(name, args...)
	if r.code != 0 {
		i.t.Fatalf("%s %q: exit code %d: %s", name, args, r.code, r.all())
	}
	return r
}

// stopAndStart is a full stop and another start on the same directories; the instance that comes back is the same one.
func (i *instance) stopAndStart(flags ...string) *instance {
	i.t.Helper()
	i.mustVerb("stop", "--fast")
	if !i.endsWithin(patience) {
		i.t.Fatal("pingap did not end")
	}
	return startIn(i.t, i.dir, i.conf, flags...)
}

func TestVersionsAreListedShownAndCompared(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	b := newBackend(t, "app")
	conf := func(algo string) string {
		return insert(insert(proxyConf(addr, b.addr), "upstreams.app", fmt.Sprintf("algo = %q", algo)),
			"locations.all", `proxy_set_headers = ["Authorization:Bearer hidden"]`) + "\n[basic]\nwebhook = \"https://example.org/hidden\"\n"
	}
	i := start(t, conf("round_robin"))
	i.change(conf("random2"))
	text := i.mustVerb("config", "list").stdout
	contains(t, text, "VERSION", "\n1 ", "\n2 live", "start", "reload by uid", "upstream:app")
	if v := i.versions(); v.Live != 2 || len(v.Versions) != 2 || v.Versions[1].SHA != i.status().Config.SHA {
		t.Errorf("%+v", v)
	}
	diff := i.mustVerb("config", "diff", "1", "2").stdout
	contains(t, diff, "changed upstream:app (hot)", `+ algo = "random2"`)
	contains(t, i.mustVerb("config", "diff", "2", "1", "--json").stdout, `"old": "\"random2\""`)
	if same := i.mustVerb("config", "diff", "2", "2").stdout; same != "" {
		t.Errorf("a version differs from itself: %q", same)
	}

	shown := i.mustVerb("config", "show", "1").stdout
	if strings.Contains(shown+diff+text, "hidden") {
		t.Errorf("secrets were printed:\n%s", shown)
	}
	// What is shown is a configuration, and with its secrets the same one.
	path := filepath.Join(i.dir, "shown.toml")
	write(t, path, shown)
	if r := command(t, i.dir, "-t", "-c", path); r.code != 0 {
		t.Errorf("-t: %s", r.all())
	}
	whole := i.mustVerb("config", "show", "--secrets").stdout
	contains(t, whole, "Bearer hidden", "example.org/hidden", "# version 2 ")
	write(t, i.conf, whole)
	contains(t, i.reload().stdout, "unchanged: version 2")

	r := i.verb("config", "show", "7")
	if r.code != 1 {
		t.Errorf("exit code %d", r.code)
	}
	contains(t, r.stderr, "version 7 is not kept")
}

func TestARollbackUnderLoadCostsNoRequest(t *testing.T) {
	t.Parallel()
	one, two := newBackend(t, "one"), newBackend(t, "two")
	addr := freePort(t)
	i := start(t, proxyConf(addr, one.addr))
	i.change(proxyConf(addr, two.addr))
	l := runLoad(t, addr, usualMix(4)...)
	for n := range 10 {
		r := i.mustVerb("rollback", "--wait")
		contains(t, r.stdout, fmt.Sprintf("applied: version %d", n+3), "hot", "2 workers")
		if err := want(addr, "/", []string{"one", "two"}[n%2]); err != nil {
			t.Errorf("after rollback %d: %v", n, err)
		}
		l.progress(t, 20)
	}
	l.mustBeClean(t)
	t.Log(l.report())
}

// What was rolled back to stays live over a crash of control and a full stop, and a changed source ends it.
func TestWhatWasRolledBackToStaysUntilTheSourceChanges(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "one"), "--autoreload")
	i.change(mockConf(addr, "two"))
	contains(t, i.mustVerb("rollback", "1", "--wait").stdout, "applied: version 3")
	check := func(what string) {
		t.Helper()
		if err := want(addr, "/", "one"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if st := i.status(); !st.Config.Source.Differs || st.Config.Version != 3 {
			t.Errorf("%s: status %+v", what, st.Config)
		}
		contains(t, i.verb("status").stdout, "not live since a rollback to version 1")
	}
	check("rolled back")
	contains(t, i.printed(), "live and source differ after a rollback")

	control := i.status().of("control")[0].PID
	signalPID(t, control, syscall.SIGKILL)
	i.eventually("another control", func() error {
		st, err := i.tryStatus()
		switch {
		case err != nil:
			return err
		case st.of("control")[0].PID == control, !strings.Contains(i.verb("status").stdout, "rollback"):
			return errors.New("not yet")
		}
		return nil
	})
	check("control was killed")

	i = i.stopAndStart("--autoreload")
	check("started again")
	if v := i.versions(); v.Live != 3 || len(v.Versions) != 3 || v.Versions[2].CopyOf != 1 {
		t.Errorf("%+v", v)
	}
	write(t, i.conf, mockConf(addr, "three"))
	i.eventually("the changed source", func() error { return want(addr, "/", "three") })
	i = i.stopAndStart()
	if st := i.status(); st.Config.Source.Differs || st.Config.Version != 4 {
		t.Errorf("%+v", st.Config)
	}
	if err := want(addr, "/", "three"); err != nil {
		t.Error(err)
	}
}

func TestASourceThatChangedWhileStoppedIsServedAndAReloadAppliesOneThatDidNot(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "one"))
	i.change(mockConf(addr, "two"))
	i.mustVerb("rollback")
	contains(t, i.reload().stdout, "applied: version 4")
	if err := want(addr, "/", "two"); err != nil {
		t.Errorf("reload: %v", err)
	}
	i.mustVerb("rollback", "1")
	write(t, i.conf, mockConf(addr, "three"))
	i = i.stopAndStart()
	if err := want(addr, "/", "three"); err != nil {
		t.Errorf("start: %v", err)
	}
	if v := i.status().Config.Version; v != 6 {
		t.Errorf("version %d, want 6", v)
	}
}

// A kept version that does not open any more must not keep the instance from starting.
func TestAStartWithoutTheKeptVersionServesTheSource(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, mockConf(addr, "one"))
	i.change(mockConf(addr, "two"))
	i.mustVerb("rollback")
	i.mustVerb("stop", "--fast")
	path := filepath.Join(i.dir, "state", "versions", fmt.Sprintf("%020d", 3))
	data := []byte(read(t, path))
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	i = startIn(t, i.dir, i.conf)
	if err := want(addr, "/", "two"); err != nil {
		t.Error(err)
	}
	contains(t, i.printed(), "what had been rolled back to cannot be made live")
	contains(t, i.verb("status").stdout, "note: version 3, which had been rolled back to")
}

// The state directory is root's alone, and control is not root any more when it writes there.
func TestARootInstanceKeepsVersionsAfterItGaveRootUp(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	addr := freePort(t)
	i := start(t, mockConf(addr, "one"))
	state := filepath.Join(i.dir, "state")
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	control := i.status().of("control")[0].PID
	i.eventually("control without root", func() error { return unprivileged(t, control) })
	i.change(mockConf(addr, "two"))
	contains(t, i.mustVerb("rollback").stdout, "applied: version 3")
	if v := i.versions(); len(v.Versions) != 3 {
		t.Errorf("%+v", v)
	}
	for path, want := range map[string]bool{"versions": true, fmt.Sprintf("versions/%020d", 1): true, fmt.Sprintf("versions/%020d", 3): true, "versions.key": false} {
		info, err := os.Stat(filepath.Join(state, path))
		if err != nil {
			t.Fatal(err)
		}
		if given := info.Sys().(*syscall.Stat_t).Uid != 0; given != want || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, given away %v", path, info.Mode(), given)
		}
	}
	i = i.stopAndStart()
	if err := want(addr, "/", "one"); err != nil {
		t.Error(err)
	}
	if v := i.versions(); v.Live != 3 || len(v.Versions) != 3 {
		t.Errorf("%+v", v)
	}
}

func TestEachRequestLogsItsVersion(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	log := filepath.Join(workDir(t), "access.log")
	conf := func(text string) string {
		return insert(mockConf(addr, text), "servers.web", fmt.Sprintf("access_log = %q", log+"?rolling=never {uri} v{:config_version}"))
	}
	i := start(t, conf("one"))
	c := dial(t, addr)
	for n, text := range []string{"one", "two"} {
		if n > 0 {
			i.change(conf(text))
		}
		if a, err := c.do(get("/" + text)); err != nil || string(a.body) != text {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	i.eventually("both lines", func() error {
		text := read(t, log)
		if !strings.Contains(text, "/one v1\n") || !strings.Contains(text, "/two v2\n") {
			return errors.New(text)
		}
		return nil
	})
}

// A supervisor that comes back takes the workers over, and what was rolled back to with them.
func TestARollbackOutlastsTheSupervisor(t *testing.T) {
	t.Parallel()
	addr, other := freePort(t), freePort(t)
	i := start(t, mockConf(addr, "one"))
	i.change(mockConf(other, "two")) // another address, and back again by rollback
	contains(t, i.mustVerb("rollback", "--wait").stdout, "applied: version 3")
	if err := want(addr, "/", "one"); err != nil {
		t.Error(err)
	}
	signalPID(t, i.cmd.Process.Pid, syscall.SIGKILL)
	if !i.endsWithin(patience) {
		t.Fatal("the supervisor did not end")
	}
	i = startIn(t, i.dir, i.conf)
	i.eventually("the load of the new supervisor", func() error {
		if text := i.verb("status").stdout; !strings.Contains(text, "not live since a rollback to version 1") {
			return errors.New(text)
		}
		return nil
	})
	if err := want(addr, "/", "one"); err != nil {
		t.Error(err)
	}
	if v := i.versions(); v.Live != 3 || len(v.Versions) != 3 {
		t.Errorf("%+v", v)
	}
	contains(t, i.reload().stdout, "applied: version 4")
	if err := want(other, "/", "two"); err != nil {
		t.Error(err)
	}
}
