package images

import (
	"runtime/debug"

	"golang.org/x/sys/unix"

	"pingap/control/rlimits"
)

const (
	// maxMemory is how much private memory the maker may have besides what it begins with: two pictures at a time, decoded twice.
	maxMemory = 768 << 20
	// maxCPU, in seconds, is what it may use in its life. It ends by itself at half of that.
	maxCPU = 1200
	// niceValue lets requests go first.
	niceValue = 10
)

// confine puts limits on this process, for good.
func confine() error {
	used, err := rlimits.DataSize()
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(maxMemory / 4 * 3)
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceValue) // it works without, only less considerately
	return rlimits.Set(
		rlimits.Limit{Name: "RLIMIT_DATA", Resource: unix.RLIMIT_DATA, Value: uint64(used + maxMemory)}, // not RLIMIT_AS: Go reserves more than it uses
		rlimits.Limit{Name: "RLIMIT_CPU", Resource: unix.RLIMIT_CPU, Value: maxCPU},
		rlimits.Limit{Name: "RLIMIT_NOFILE", Resource: unix.RLIMIT_NOFILE, Value: 64},
		rlimits.Limit{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE, Value: 0},
	)
}

// cpuSeconds is what this process has used.
func cpuSeconds() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Sec + u.Stime.Sec
}
