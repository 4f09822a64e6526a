package protocols

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	binaryPath  = "PROTOCOLS_BINARY"  // the built pingap, told to tests and to this binary in another role; set from outside: that one
	subjectName = "PROTOCOLS_SUBJECT" // the proxy under test; empty is pingap
	roleName    = "PROTOCOLS_ROLE"    // what this binary is to be instead of the tests
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(roleName) == conformanceRole {
		return conformanceServer(os.Stdin, os.Stdout, os.Stderr)
	}
	dir, err := os.MkdirTemp("", "pingap-protocols-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Workers of an instance that was started as root run as another user and execute this file.
	binary := os.Getenv(binaryPath)
	if binary == "" {
		binary = filepath.Join(dir, "pingap")
		if err = os.Chmod(dir, 0o755); err == nil && subject() == pingap {
			err = build(binary)
		}
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
	code := m.Run()
	if left := processesOf(binary); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: processes left behind: %v\n", left)
		return 1
	}
	return code
}

// processesOf lists the processes that execute a file.
func processesOf(binary string) []string {
	var pids []string
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		exe, err := os.Readlink(link)
		if err == nil && strings.TrimSuffix(exe, " (deleted)") == binary {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}

// build compiles the binary under test as `make build` does.
func build(out string) error {
	order, err := exec.Command("go", "run", "pingap/internal/pollorder", filepath.Join(filepath.Dir(out), "pollorder")).Output()
	if err != nil {
		return fmt.Errorf("order of the poller: %w", err)
	}
	cmd := exec.Command("go", append(append([]string{"build"}, strings.Fields(string(order))...), "-trimpath", "-o", out, "pingap/cmd/pingap")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build pingap: %w\n%s", err, text)
	}
	return nil
}
