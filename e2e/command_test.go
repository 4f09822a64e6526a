package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// result of a command that has ended.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) all() string { return r.stdout + r.stderr }

// command runs the binary to its end.
func command(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return commandEnv(t, dir, nil, args...)
}

func commandEnv(t *testing.T, dir string, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(binaryPath), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("pingap %q: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("pingap %q did not end: %s%s", args, stdout.String(), stderr.String())
	}
	if bad := crashed(stdout.String() + stderr.String()); bad != "" {
		t.Errorf("pingap %q: %s", args, stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// verb asks this instance something.
func (i *instance) verb(name string, args ...string) result {
	i.t.Helper()
	return command(i.t, i.dir, append([]string{name, "--run-dir", i.runDir}, args...)...)
}

// reload applies the configuration and fails the test when it is refused.
func (i *instance) reload() result {
	i.t.Helper()
	r := i.verb("reload", "--wait")
	if r.code != 0 {
		i.t.Fatalf("reload: exit code %d: %s", r.code, r.all())
	}
	return r
}

// change writes the configuration anew and applies it.
func (i *instance) change(conf string) result {
	i.t.Helper()
	write(i.t, i.conf, conf)
	return i.reload()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// contains fails for every text that is missing.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("missing %q in:\n%s", p, tail(text, 4000))
		}
	}
}
