package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func pidFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), pidName)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sleeper is a process that ends when told to.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func TestProcessOfAPidFileIsSignalledAndWaitedFor(t *testing.T) {
	cmd := sleeper(t)
	p, err := openProcess(pidFile(t, strconv.Itoa(cmd.Process.Pid)+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := p.wait(time.Millisecond); !errors.Is(err, errNoAnswer) {
		t.Errorf("wait for a live process: %v", err)
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(30 * time.Second); err != nil {
		t.Errorf("wait for an ended process: %v", err)
	}
}

func TestPidFilesThatMeanNobodyAreRefused(t *testing.T) {
	for _, content := range []string{"", "x", "0", "1", "-1", "4194305"} {
		if p, err := openProcess(pidFile(t, content)); err == nil {
			p.close()
			t.Errorf("pid file %q was taken for a process", content)
		}
	}
	// The number was given to another process after the file was written.
	path := pidFile(t, strconv.Itoa(sleeper(t).Process.Pid))
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if p, err := openProcess(path); err == nil {
		p.close()
		t.Error("a process younger than its pid file was taken for the supervisor")
	}
}
