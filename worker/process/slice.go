package process

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// slice is for how long, in nanoseconds, the kernel lets a thread of a worker run while others wait for its core. Requests take
// microseconds: with the usual slice of milliseconds a worker that wakes up on a core where control reads a configuration waits for the end of that
// one's slice. A shorter one than that of who runs comes first (Linux 6.12; earlier kernels ignore it). It changes nothing on an idle core, nor the share of a busy one.
const slice = 300_000

// Prompt has this process come first soon where it has to share its cores. Every thread is set; those to come inherit it.
func Prompt() {
	done := map[int]bool{}
	for fresh := true; fresh; {
		fresh = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], fresh = true, true
			attr, err := unix.SchedGetAttr(id, 0)
			if err != nil || attr.Policy != unix.SCHED_NORMAL {
				continue // an operator's choice stays
			}
			attr.Runtime = slice
			_ = unix.SchedSetAttr(id, attr, 0) // denied or unknown: it works as before
		}
	}
}
