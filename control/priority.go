package control

import (
	"os"
	"strconv"
	"time"

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
	// idleTime is how long a validate child runs only on cores that nobody else wants. A core that runs nothing
	// more urgent counts as free when a worker wakes up, which with a nice value alone it does not. On an
	// idle core it is enough for some 50,000 locations; afterwards the child gets its tenth.
	idleTime = 400 * time.Millisecond
)

// GiveWay lowers the priority of this whole process for good: what control does may take a little longer, a request may
// not. Everybody may do that; where it is denied nonetheless all works, only less considerately. It is called first,
// with all the rights that the process has.
func GiveWay() {
	nice := lowered(niceValue())
	setPriority("self", unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: int32(nice)})
	// The right to hurry children outlives being root with this. It goes no further than their nice value.
	if wanted := niceLimit(lowered(nice)); !mayHave(wanted) {
		_ = unix.Setrlimit(unix.RLIMIT_NICE, &unix.Rlimit{Cur: wanted, Max: wanted}) // only root may, not always
	}
}

// giveWayToAll is for a validate child at its start. With idle it runs on idle cores only, until it is hurried.
func giveWayToAll(idle bool) {
	setPriority("self", hurried(lowered(niceValue())))
	if idle {
		setPriority("self", unix.SchedAttr{Policy: unix.SCHED_IDLE})
	}
}

// mayHurry says whether this process can get a child out of the idle class: that is a privilege.
func mayHurry() bool {
	const capSysNice = 1 << unix.CAP_SYS_NICE
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil && data[0].Effective&capSysNice != 0 {
		return true
	}
	return mayHave(niceLimit(lowered(niceValue())))
}

// hurry ends the time that a validate child, which has not been waited for yet, runs on idle cores only.
func hurry(pid int) { setPriority(strconv.Itoa(pid), hurried(lowered(niceValue()))) }

// hurried is how a child runs that has waited long enough. A batch process never takes the core from one that runs.
func hurried(nice int) unix.SchedAttr {
	return unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: int32(nice), Runtime: niceSlice}
}

// setPriority treats every thread of a process. The kernel keeps priorities for each thread, and new ones inherit them
// from the thread that starts them, so it looks again until no thread is new.
func setPriority(process string, attr unix.SchedAttr) {
	attr.Size = unix.SizeofSchedAttr
	done := map[int]bool{}
	for fresh := true; fresh; {
		fresh = false
		threads, err := os.ReadDir("/proc/" + process + "/task")
		if err != nil {
			return
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], fresh = true, true
			_ = unix.SchedSetAttr(id, &attr, 0) // a thread may have ended; for denial see GiveWay
		}
	}
}

func lowered(nice int) int { return min(nice+niceStep, 19) }

// niceValue is that of this process, -20 to 19.
func niceValue() int {
	p, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - p // the kernel's form is 40 to 1
}

// niceLimit is a nice value in the form of RLIMIT_NICE.
func niceLimit(nice int) uint64 { return uint64(20 - nice) }

// mayHave says whether RLIMIT_NICE allows a process to come back to a nice value.
func mayHave(limit uint64) bool {
	var now unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_NICE, &now) == nil && now.Cur >= limit
}
