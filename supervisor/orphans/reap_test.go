package orphans

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit bounds waits for what must happen.
const limit = 30 * time.Second

// A process whose parent died comes to this one, which declares itself its reaper as process 1 is by nature. It must not
// stay a zombie, while children that have a parent's goroutine keep their exit codes.
func TestOrphansAreReapedAndChildrenAreNot(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	dead, stop, reaped := make(chan os.Signal, 1), make(chan struct{}), make(chan int)
	signal.Notify(dead, unix.SIGCHLD)
	defer signal.Stop(dead)
	go func() { reaped <- Reap(dead, stop) }() // ends with stop

	const orphans = 5
	var pids []int
	for range orphans {
		pids = append(pids, orphan(t))
	}
	deadline := time.Now().Add(limit)
	for code := 1; len(alive(pids)) > 0; code = code%100 + 1 {
		err := exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(code)).Run()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != code {
			t.Fatalf("our own child: %v, want exit status %d", err, code)
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %v", alive(pids))
		}
	}
	close(stop)
	if n := <-reaped; n != orphans {
		t.Errorf("reaped %d, want %d", n, orphans)
	}
}

// orphan starts a process whose parent ends at once, and returns its id.
func orphan(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "sleep 0.2 >/dev/null & echo $!")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// alive are those of which the kernel still has a record, zombies included.
func alive(pids []int) []int {
	var list []int
	for _, pid := range pids {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			list = append(list, pid)
		}
	}
	return list
}
