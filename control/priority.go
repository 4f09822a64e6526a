package control

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// niceStep is what control and, on top of it, its validate children add to their nice value: 5 and 10
	// where the supervisor has 0. More would do little for traffic, but on a machine that is busy for long a
	// child would not end within its time limit: at 10 it has still about a tenth of a busy core.
	niceStep = 5
	// niceSlice is how long, in nanoseconds, the kernel lets a validate child run before it looks for
	// somebody more urgent. Without it a worker that wakes up waits for the usual slice of milliseconds,
	// whatever the nice value. Kernels before 6.12 ignore it.
	niceSlice = 100_000
)

// GiveWay lowers the priority of this whole process for good: what control does may take a little longer, a request may
// not. Everybody may do that; where it is denied nonetheless all works, only less considerately.
func GiveWay() { lowerPriority(unix.SCHED_NORMAL, 0) }

// lowerPriority sets policy, nice value and slice of every thread. The kernel keeps them for each thread, and new ones
// inherit them from the thread that starts them, so it looks again until no thread is new.
func lowerPriority(policy uint32, slice uint64) {
	nice := min(niceValue()+niceStep, 19)
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
			attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Nice: int32(nice), Runtime: slice}
			_ = unix.SchedSetAttr(id, &attr, 0) // a thread may have ended; for denial see GiveWay
		}
	}
}

// niceValue is that of this process, -20 to 19.
func niceValue() int {
	p, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - p // the kernel's form is 40 to 1
}
