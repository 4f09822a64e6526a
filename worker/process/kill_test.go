package process

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv("PROCESS_TEST_SPIN") != "":
		os.Exit(spin())
	case os.Getenv("PROCESS_TEST_ABORT") != "":
		os.Exit(abort(os.Getenv("PROCESS_TEST_ABORT")))
	}
	os.Exit(m.Run())
}

// spin sets a long time, then a short one, then a longer one again, and leaves the scheduler no way to do anything.
func spin() int {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	var k Killer
	for _, d := range []time.Duration{time.Hour, 100 * time.Millisecond, time.Hour} {
		if err := k.Within(d); err != nil {
			println(err.Error())
			return 1
		}
	}
	for i := 0; ; i++ {
	}
}

func TestAStuckProcessIsKilled(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PROCESS_TEST_SPIN=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer late.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("ended with %v", err)
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v, want SIGKILL", err)
	}
}
