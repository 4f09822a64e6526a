package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/ipc"
	"pingap/telemetry"
)

func TestAccessLogFollowsNewFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	cfg := config1("127.0.0.1:1") + `access_log = "` + path + `?rolling=never {method} {path} {status}"` + "\n"
	b := newBoss(t, nil)
	b.start(cfg, map[string]*os.File{path: open(path)})
	b.activate()
	c := b.dial()
	served := func(n uint64) {
		t.Helper()
		c.get("/a")
		b.served(n)
	}
	served(1)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		var fds ipc.FDs
		b.send(ipc.LogFDs{Logs: targets(map[string]*os.File{path: open(path)}, &fds)}, fds...)
		receive[*ipc.LogsTaken](b)
	}
	reopen()
	wantFile(t, path+".1", "GET /a 200\n")
	served(2)
	// A configuration that keeps the log keeps its writer.
	b.apply(b.load(strings.ReplaceAll(cfg, `text = "one"`, `text = "two"`)))
	served(3)
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	reopen()
	wantFile(t, path+".2", "GET /a 200\nGET /a 200\n")
	served(4)
	b.send(ipc.Stop{})
	if err := b.outcome(); err != nil {
		t.Error(err)
	}
	wantFile(t, path, "GET /a 200\n")
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func TestTargetsHaveTheSupervisorsIDs(t *testing.T) {
	for name, c := range map[string]struct {
		target telemetry.Target
		want   string
	}{
		"file":        {telemetry.Target{Kind: telemetry.File, Path: "/a", Rolling: "daily"}, ipc.LogTargetID(ipc.LogTarget{Path: "/a", Rolling: "daily"})},
		"syslog":      {telemetry.Target{Kind: telemetry.Socket, Path: "/dev/log"}, ipc.LogTargetID(ipc.LogTarget{Network: "unixgram", Path: "/dev/log"})},
		"stdout":      {telemetry.Target{Kind: telemetry.Stdout}, ""},
		"application": {telemetry.Target{}, ""},
	} {
		if got := fileID(c.target); got != c.want {
			t.Errorf("%s: id %q, want %q", name, got, c.want)
		}
	}
}
