package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func env(values map[string]string) func(string) string {
	return func(k string) string { return values[k] }
}

func mkdir(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // the umask does not count
		t.Fatal(err)
	}
	return path
}

func TestRunDirectoryIsTheFirstUsable(t *testing.T) {
	top := t.TempDir()
	system := mkdir(t, filepath.Join(top, "system"), 0o755)
	xdg := mkdir(t, filepath.Join(top, "xdg"), 0o700)
	tmp := mkdir(t, filepath.Join(top, "tmp"), 0o777)
	missing := filepath.Join(top, "missing", "system")
	uid := os.Geteuid()
	private := filepath.Join(tmp, "pingap-"+strconv.Itoa(uid))
	cases := []struct {
		name string
		d    dirs
		want string
	}{
		{"explicit", dirs{getenv: env(nil), run: filepath.Join(top, "own"), system: system}, filepath.Join(top, "own")},
		{"system", dirs{getenv: env(map[string]string{"XDG_RUNTIME_DIR": xdg, "TMPDIR": tmp}), system: system}, system},
		{"runtime directory of the user", dirs{getenv: env(map[string]string{"XDG_RUNTIME_DIR": xdg, "TMPDIR": tmp}), system: missing}, filepath.Join(xdg, "pingap")},
		{"temporary", dirs{getenv: env(map[string]string{"TMPDIR": tmp}), system: missing}, private},
		{"relative variables do not count", dirs{getenv: env(map[string]string{"XDG_RUNTIME_DIR": "x", "TMPDIR": tmp}), system: missing}, private},
	}
	for _, c := range cases {
		c.d.uid = uid
		got, err := c.d.create()
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
			continue
		}
		found := false
		for _, candidate := range c.d.candidates() {
			found = found || candidate == got
		}
		if !found {
			t.Errorf("%s: verbs would look in %q only", c.name, c.d.candidates())
		}
	}
	if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("private directory: %v, %v", info.Mode(), err)
	}
}

// In a directory that everybody may write to, somebody else may have been first.
func TestRunDirectoryOfSomebodyElseIsRefused(t *testing.T) {
	uid := os.Geteuid()
	cases := []struct {
		name, text string
		prepare    func(path string)
	}{
		{"open to others", "lets others in", func(path string) { mkdir(t, path, 0o755) }},
		{"writable by all", "written by everybody", func(path string) { mkdir(t, path, 0o777) }},
		{"a link", "symbolic link", func(path string) {
			if err := os.Symlink(t.TempDir(), path); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file", "not a directory", func(path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, c := range cases {
		tmp := t.TempDir()
		c.prepare(filepath.Join(tmp, "pingap-"+strconv.Itoa(uid)))
		d := dirs{getenv: env(map[string]string{"TMPDIR": tmp}), uid: uid, system: filepath.Join(tmp, "no", "system")}
		if got, err := d.create(); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %q, %v; want an error with %q", c.name, got, err, c.text)
		}
	}
	// Owned by another user: seen from a uid that owns nothing here.
	other := dirs{getenv: env(nil), uid: uid + 12345, run: mkdir(t, filepath.Join(t.TempDir(), "d"), 0o700)}
	if err := other.trusted(other.run); uid != 0 && (err == nil || !strings.Contains(err.Error(), "belongs to uid")) {
		t.Errorf("directory of uid %d for another: %v", uid, err)
	}
}

// Root may speak to others' instances, but is not made to signal what they name.
func TestRootReachesTheDirectoriesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a directory away")
	}
	const nobody = 65534
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	d := dirs{getenv: env(nil), uid: 0, run: dir}
	if err := d.trusted(dir); err == nil {
		t.Error("root would start in the directory of another user")
	}
	if err := d.reachable(dir); err != nil {
		t.Error(err)
	}
	mine := sleeper(t) // runs as root
	p, err := openProcess(pidFile(t, strconv.Itoa(mine.Process.Pid)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if p.mayBeNamedBy(dir, 0) {
		t.Error("a directory of another user may name a process of root")
	}
	if !p.mayBeNamedBy(t.TempDir(), 0) {
		t.Error("a directory of root may not name a process of root")
	}
}

// The package's instance runs as its own user in /run/pingap: root and the group speak to it without naming the directory.
func TestTheSystemDirectoryIsReachableWhoeverItBelongsTo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give a directory away")
	}
	const daemon, member = 65533, 65534
	top := mkdir(t, filepath.Join(t.TempDir(), "run"), 0o755)
	system := mkdir(t, filepath.Join(top, "pingap"), 0o750)
	if err := os.Chown(system, daemon, daemon); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []int{0, daemon, member} {
		d := dirs{getenv: env(nil), uid: uid, system: system}
		if err := d.reachable(system); err != nil {
			t.Errorf("uid %d: %v", uid, err)
		}
		if (d.trusted(system) == nil) != (uid == daemon) {
			t.Errorf("uid %d and starting there: %v", uid, d.trusted(system))
		}
	}
	d := dirs{getenv: env(nil), uid: 0, system: system}
	mkdir(t, top, 0o777)
	if err := d.reachable(system); err == nil {
		t.Error("reachable where everybody could have put it")
	}
	mkdir(t, top, 0o755)
	mkdir(t, system, 0o777)
	if err := d.reachable(system); err == nil {
		t.Error("reachable where everybody may write")
	}
	if err := os.Rename(system, system+".real"); err != nil {
		t.Fatal(err)
	}
	mkdir(t, system+".real", 0o750)
	if err := os.Symlink(system+".real", system); err != nil {
		t.Fatal(err)
	}
	if err := d.reachable(system); err == nil {
		t.Error("reachable by a link")
	}
}

func TestStateDirectoryDefaultsBelowTheRunDirectory(t *testing.T) {
	run := t.TempDir()
	d := dirs{getenv: env(nil), uid: os.Geteuid(), system: filepath.Join(run, "x")}
	if got, err := d.stateDir("", run); err != nil || got != filepath.Join(run, "state") {
		t.Errorf("%q, %v", got, err)
	}
	own := filepath.Join(t.TempDir(), "a", "b")
	if got, err := d.stateDir(own, run); err != nil || got != own {
		t.Errorf("%q, %v", got, err)
	}
}
