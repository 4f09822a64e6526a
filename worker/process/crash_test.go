package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// abort is a process that gets SIGABRT while a goroutine hangs.
func abort(path string) int {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		err = CrashTo(f)
	}
	if err == nil {
		f.Close()
		go hangs()
		err = syscall.Kill(os.Getpid(), syscall.SIGABRT)
	}
	if err != nil {
		println(err.Error())
		return 3
	}
	time.Sleep(time.Minute) // the signal comes first
	return 4
}

func hangs() { <-make(chan struct{}) }

func TestAnAbortedProcessLeavesItsStacks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PROCESS_TEST_ABORT="+path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 2 { // as the Go runtime ends
		t.Fatalf("ended with %v: %s", err, stderr.String())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for where, s := range map[string]string{"the file": string(text), "standard error": stderr.String()} {
		if !strings.Contains(s, "SIGABRT") || !strings.Contains(s, "process.hangs") {
			t.Errorf("%s holds %.300q", where, s)
		}
	}
	if !strings.HasPrefix(string(text), "a line\n") {
		t.Error("what was in the file is gone")
	}
}
