package protocols

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// toolsDir is where `make tools` puts what no package of the system has.
const toolsDir = "../../bin/tools"

// tool is the path of a program that judges; without it the test is skipped.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(toolsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err = exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (make tools)", name)
	}
	return path
}

// outcome of a program that has ended.
type outcome struct {
	code int
	text string // standard output and error
}

// runTool runs a program to its end, which must come in time.
func runTool(t *testing.T, limit time.Duration, env []string, path string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = patience // for children of it that keep its output open
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		t.Fatalf("%s %q did not end in %s:\n%s", path, args, limit, tail(string(out), 5000))
	}
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %q: %v", path, args, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), string(out)}
}

// refuses skips a test that the chosen stand-in is known not to be able to serve.
func refuses(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if subject() == name {
			t.Skipf("not for %s", name)
		}
	}
}
