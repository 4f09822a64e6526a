package process

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEveryThreadComesSoon(t *testing.T) {
	runtime.LockOSThread() // it has the slice ever after, and so has what it starts
	Prompt()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err == unix.ESRCH {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if attr.Runtime == 0 {
			t.Skip("this kernel has no slices (before 6.12)")
		}
		if attr.Policy == unix.SCHED_NORMAL && attr.Runtime != slice {
			t.Errorf("thread %d has a slice of %d ns", id, attr.Runtime)
		}
	}
}
