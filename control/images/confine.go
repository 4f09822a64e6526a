package images

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
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
	used, err := dataSize()
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(maxMemory / 4 * 3)
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceValue) // it works without, only less considerately
	for _, r := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_DATA", unix.RLIMIT_DATA, uint64(used + maxMemory)}, // not RLIMIT_AS: Go reserves more than it uses
		{"RLIMIT_CPU", unix.RLIMIT_CPU, maxCPU},
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, 64},
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(r.resource, &now); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		value := min(r.value, now.Max)
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// dataSize is what RLIMIT_DATA counts for this process now, in bytes.
func dataSize() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmData:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("/proc/self/status has no VmData")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10, err
}

// cpuSeconds is what this process has used.
func cpuSeconds() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Sec + u.Stime.Sec
}
