package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Of an instance that was started as root only the supervisor stays so: workers from their start, control once it is known
// that their user can read all of the configuration.
func TestARootInstanceServesWithoutRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	addr := freePort(t)
	i := start(t, mockConf(addr, "x"))
	for _, pid := range i.status().pids() {
		if err := unprivileged(t, pid); err != nil {
			t.Errorf("worker: %v", err)
		}
	}
	control := i.status().of("control")[0].PID
	i.eventually("control", func() error { return unprivileged(t, control) })
	i.change(mockConf(addr, "new"))
	if err := want(addr, "/", "new"); err != nil {
		t.Error(err)
	}
	signalPID(t, control, syscall.SIGKILL)
	i.eventually("another control", func() error {
		st, err := i.tryStatus()
		if err == nil && st.of("control")[0].PID == control {
			err = errors.New("the old one")
		}
		return err
	})
	i.change(mockConf(addr, "newer"))
	if err := want(addr, "/", "newer"); err != nil {
		t.Error(err)
	}
}

// A configuration that only root can read keeps control root, and status says so; workers get what they need from it.
func TestControlStaysRootWhereItHasTo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	dir, addr := workDir(t), freePort(t)
	path := dir + "/pingap.toml"
	write(t, path, mockConf(addr, "x"))
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	i := startIn(t, dir, path)
	i.eventually("the note", func() error {
		if text := i.verb("status").stdout; !strings.Contains(text, "control stays root") {
			return errors.New(text)
		}
		return nil
	})
	i.change(mockConf(addr, "new"))
	if err := want(addr, "/", "new"); err != nil {
		t.Error(err)
	}
	for _, pid := range i.status().pids() {
		if err := unprivileged(t, pid); err != nil {
			t.Errorf("worker: %v", err)
		}
	}
}

// unprivileged says whether a process is neither root nor can become it.
func unprivileged(t *testing.T, pid int) error {
	t.Helper()
	uid, caps, fixed := processField(t, pid, "Uid:"), processField(t, pid, "CapEff:"), processField(t, pid, "NoNewPrivs:")
	if uid == "0" || strings.Trim(caps, "0") != "" || fixed != "1" {
		return fmt.Errorf("process %d: uid %s, capabilities %s, no_new_privs %s", pid, uid, caps, fixed)
	}
	return nil
}

// processField is the first value of a line of /proc/PID/status.
func processField(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", pid))) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.Fields(value)[0]
		}
	}
	return ""
}
