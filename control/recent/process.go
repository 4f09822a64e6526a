package recent

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"pingap/ipc"
)

// ticks is how many the kernel counts in a second of processor time (USER_HZ, which is 100 wherever Go runs).
const ticks = 100

// spent is what the kernel says of a process.
type spent struct {
	at     time.Time
	start  uint64        // of the process, by which one is told from another of the same number
	cpu    time.Duration // since its start
	memory int64         // resident bytes
}

// readSpent reads /proc/PID/stat below a directory.
func readSpent(proc string, pid int, now time.Time) (spent, bool) {
	text, err := os.ReadFile(proc + "/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return spent{}, false
	}
	return parseSpent(text, now)
}

// parseSpent reads proc_pid_stat(5). The name of a process, in parentheses, may hold anything.
func parseSpent(text []byte, now time.Time) (spent, bool) {
	const utime, stime, start, rss = 11, 12, 19, 21 // behind the name; the state is 0
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return spent{}, false
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) <= rss {
		return spent{}, false
	}
	var n [4]uint64
	for i, at := range [4]int{utime, stime, start, rss} {
		v, err := strconv.ParseUint(string(fields[at]), 10, 62)
		if err != nil {
			return spent{}, false
		}
		n[i] = v
	}
	return spent{at: now, start: n[2], cpu: time.Duration(n[0]+n[1]) * (time.Second / ticks), memory: int64(n[3]) * int64(os.Getpagesize())}, true
}

// usage is what a process has taken of a processor between two looks, in percent of one.
type usage struct {
	last    spent
	percent float64
	known   bool // percent is
}

func (u *usage) look(now spent) {
	span := now.at.Sub(u.last.at)
	u.known = !u.last.at.IsZero() && u.last.start == now.start && span > 0
	if u.known {
		u.percent = 100 * float64(max(now.cpu-u.last.cpu, 0)) / float64(span)
	}
	u.last = now
}

// slotName is what the API calls the place of a process; those that drain and the one that serves have the same.
func slotName(p *ipc.Process) string {
	if p.Kind == ipc.RoleWorker {
		return p.Kind + "/" + strconv.Itoa(p.Slot)
	}
	return p.Kind
}

// open is the number of open connections of a process, as it said last.
func open(p *ipc.Process) (n int64) {
	if p.Status == nil {
		return 0
	}
	for _, c := range p.Status.Connections {
		n += c
	}
	return n
}
