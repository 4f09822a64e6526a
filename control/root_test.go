package control

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/source"
	"pingap/ipc"
)

// The user that tests drop to; it has no name here.
const plainID = 65534

// rootRig is a rig that is root, whose wish to drop it is recorded.
func rootRig(t *testing.T, o rigOptions) (r *rig, became chan [2]int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to have something to drop")
	}
	became = make(chan [2]int, 10)
	o.become = func(uid, gid int) error {
		became <- [2]int{uid, gid}
		return nil
	}
	return newRig(t, base, o), became
}

// applyAs answers a proposal and says whom to run as.
func (r *rig) applyAs(p proposal, version uint64) {
	r.t.Helper()
	r.send(p.txn, ipc.Applied{Version: version, SHA: p.SHA, RunAs: &ipc.Credential{UID: plainID, GID: plainID}})
}

// open lets everybody reach and read the configuration.
func (r *rig) open() { r.chmod(0o755, 0o644) }

func (r *rig) chmod(dir, file os.FileMode) {
	r.t.Helper()
	if err := errors.Join(os.Chmod(filepath.Dir(r.conf), dir), os.Chmod(r.conf, file)); err != nil {
		r.t.Fatal(err)
	}
}

// dropped waits for the sign of life that says so.
func (r *rig) dropped() {
	r.t.Helper()
	for {
		m := r.receiveAny()
		m.Close()
		if as[*ipc.Status](r.t, m.Body).Dropped {
			return
		}
	}
}

// notes asks for the status as a client.
func (r *rig) notes(u *user) []string {
	r.t.Helper()
	u.send(ipc.StatusRequest{})
	m := r.receive()
	m.Close()
	r.send(m.Txn, ipc.StatusAll{})
	return as[*ipc.StatusAll](r.t, u.receive()).Notes
}

func TestRootIsGivenUpOnceTheConfigurationIsLive(t *testing.T) {
	for _, watch := range []Watch{WatchNone, WatchHot} {
		r, became := rootRig(t, rigOptions{watch: watch})
		r.open()
		p := r.expectProposal()
		if len(became) > 0 {
			t.Error("dropped before there was a configuration")
		}
		r.applyAs(p, 1)
		r.dropped()
		if got := <-became; got != [2]int{plainID, plainID} {
			t.Errorf("became %v", got)
		}
		u := r.dial()
		if n := r.notes(u); len(n) > 0 {
			t.Errorf("notes %q", n)
		}
		// It is done once.
		u.send(reload)
		as[*ipc.Applied](t, u.receive())
		if len(became) > 0 {
			t.Error("dropped twice")
		}
	}
}

func TestRootStaysWhereTheUserCannotReadAndGoesWhenItCan(t *testing.T) {
	cases := []struct {
		name  string
		dir   os.FileMode
		file  os.FileMode
		watch Watch
		want  string
	}{
		{"the file", 0o755, 0o600, WatchNone, "belongs to uid 0 gid 0 with mode 0600 (chgrp 65534 and chmod g+r"},
		{"the directory", 0o700, 0o644, WatchNone, "chmod +x"},
		{"the directory for watching", 0o711, 0o644, WatchHot, "cannot be watched"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, became := rootRig(t, rigOptions{watch: c.watch})
			r.chmod(c.dir, c.file)
			r.applyAs(r.expectProposal(), 1)
			u := r.dial()
			u.send(reload) // follows the attempt
			if a := as[*ipc.Applied](t, u.receive()); !a.Unchanged {
				t.Errorf("%+v", a)
			}
			n := r.notes(u)
			if len(n) != 1 || !strings.Contains(n[0], c.want) || !strings.Contains(n[0], "stays root, as uid 65534 gid 65534") || len(became) > 0 {
				t.Fatalf("notes %q, want %q", n, c.want)
			}
			r.open()
			u.send(reload)
			as[*ipc.Applied](t, u.receive())
			r.dropped()
			if got := <-became; got != [2]int{plainID, plainID} {
				t.Errorf("became %v", got)
			}
			if n := r.notes(u); len(n) > 0 {
				t.Errorf("notes %q", n)
			}
		})
	}
}

func TestRootStaysWhereItCannotBeGivenUp(t *testing.T) {
	failing := errors.New("no such luck")
	if os.Geteuid() != 0 {
		t.Skip("needs root to have something to drop")
	}
	r := newRig(t, base, rigOptions{become: func(int, int) error { return failing }})
	r.open()
	r.applyAs(r.expectProposal(), 1)
	u := r.dial()
	u.send(reload)
	as[*ipc.Applied](t, u.receive())
	if n := r.notes(u); len(n) != 1 || !strings.Contains(n[0], failing.Error()) {
		t.Errorf("notes %q", n)
	}
}

func TestAfterACrashRootIsGivenUpAsAtTheStart(t *testing.T) {
	plain := with(t, "logs/web.log combined", "combined") // paths differ between the two
	live := newRig(t, plain, rigOptions{})
	p := live.boot()
	for _, changed := range []bool{false, true} {
		r, became := rootRig(t, rigOptions{start: &ipc.ControlStart{Version: 7, SHA: p.SHA,
			RunAs: &ipc.Credential{UID: plainID, GID: plainID}}, live: p.snapshot})
		r.write(plain)
		if changed {
			r.write(strings.Replace(plain, "127.0.0.1:9", "127.0.0.1:10", 1))
		}
		r.open()
		r.dial().send(reload) // the rig's first contents were shut off, or read meanwhile: this load is of these
		if changed {
			r.applyAs(r.expectProposal(), 8)
		}
		r.dropped()
		if got := <-became; got != [2]int{plainID, plainID} {
			t.Errorf("changed %v: became %v", changed, got)
		}
	}
}

// Who may not read a file of a directory would see another configuration.
func TestACheckAsAnotherUserFailsLikeThatUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	dir := t.TempDir()
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("a.toml", base, 0o644)
	write("b.toml", "[upstreams.v]\naddrs = [\"127.0.0.1:8\"]\n", 0o640)
	job := Job{Location: source.Location{Path: dir}, Threads: -1, Workers: -1, Dir: dir}
	check := validator{exe: "/proc/self/exe"}
	asRoot, err := check.run(t.Context(), job, nil, nil)
	defer asRoot.close()
	if err != nil || len(asRoot.Errors) > 0 {
		t.Fatalf("as root: %+v, %v", asRoot, err)
	}
	for _, c := range []struct {
		gid  uint32
		want string // of the errors
	}{{0, ""}, {plainID, "b.toml"}} {
		r, err := check.run(t.Context(), job, nil, &ipc.Credential{UID: plainID, GID: c.gid})
		defer r.close()
		switch {
		case err != nil:
			t.Error(err)
		case c.want == "" && (r.SHA != asRoot.SHA || len(r.Errors) > 0):
			t.Errorf("gid %d: %+v", c.gid, r.Verdict)
		case c.want != "" && (len(r.Errors) != 1 || !strings.Contains(r.Errors[0], c.want)):
			t.Errorf("gid %d: %q, want %q", c.gid, r.Errors, c.want)
		}
	}
}

func TestVariablesAreProposedByName(t *testing.T) {
	r := newRig(t, with(t, `upstream = "u"`, "upstream = \"u\"\nproxy_set_headers = [\"X-Region:$REGION\"]"), rigOptions{})
	p := r.expectProposal()
	if len(p.Env) != 1 || p.Env[0] != "REGION" {
		t.Errorf("proposed %q", p.Env)
	}
	if _, err := config.OpenSnapshot(p.snapshot); err != nil {
		t.Error(err)
	}
}

func TestControlGivesSignsOfLife(t *testing.T) {
	r := newRig(t, base, rigOptions{beat: time.Millisecond})
	for range 3 {
		m := r.receiveAny()
		m.Close()
		if s, ok := m.Body.(*ipc.Status); ok && (s.State != ipc.StateActive || s.Dropped) {
			t.Errorf("%+v", s)
		}
	}
}
