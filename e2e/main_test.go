package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience bounds waits for what must happen; reaching it is a failure.
const patience = 30 * time.Second

// binaryPath is told to tests by the environment of the test process, so that no variable has to be shared.
const binaryPath = "E2E_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(processRole) == backendRole {
		return serveBackend()
	}
	dir, err := os.MkdirTemp("", "pingap-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Workers of an instance that was started as root run as another user and execute this file.
	binary := filepath.Join(dir, "pingap")
	if err = os.Chmod(dir, 0o755); err == nil {
		err = build(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PINGAP_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv(binaryPath, binary)
	// The race detector lets every process sleep for a second at its end, which all commands would wait for.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	if left := processesOf(binary); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: processes left behind: %v\n", left)
		return 1
	}
	return code
}

// build compiles the binary under test as `make build` does, or with the race detector.
func build(out string) error {
	order, err := exec.Command("go", "run", "pingap/internal/pollorder", filepath.Join(filepath.Dir(out), "pollorder")).Output()
	if err != nil {
		return fmt.Errorf("order of the poller: %w", err)
	}
	args := append([]string{"build"}, strings.Fields(string(order))...)
	args = append(args, "-trimpath", "-o", out, "pingap/cmd/pingap")
	env := append(os.Environ(), "CGO_ENABLED=0")
	if os.Getenv("E2E_RACE") != "" {
		args = append([]string{"build", "-race"}, args[1:]...)
		env = append(os.Environ(), "CGO_ENABLED=1")
	}
	cmd := exec.Command("go", args...)
	cmd.Env = env
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build pingap: %w\n%s", err, text)
	}
	return nil
}

// processesOf lists the processes that execute a file.
func processesOf(binary string) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err == nil && strings.TrimSuffix(exe, " (deleted)") == binary {
			pids = append(pids, pid)
		}
	}
	return pids
}
