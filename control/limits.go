package control

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a validate child. The zero value means the defaults.
type Limits struct {
	Memory int64         // bytes of private memory beyond what an empty child has; default 1 GiB
	Time   time.Duration // from start to exit; default 10 s
}

const (
	defaultMemory = 1 << 30
	defaultTime   = 10 * time.Second
	// maxSnapshot bounds snapshot and verdict, and what the child can write at all.
	maxSnapshot = 256 << 20
	maxVerdict  = 16 << 20
	gcPercent   = 400
)

func (l Limits) orDefault() Limits {
	if l.Memory <= 0 {
		l.Memory = defaultMemory
	}
	if l.Time <= 0 {
		l.Time = defaultTime
	}
	return l
}

// confine puts the limits on this process, for good. Memory is limited as
// RLIMIT_DATA, which counts what is mapped writable and private: the address
// space that Go only reserves does not count, as it would for RLIMIT_AS. idle is
// for giveWayToAll.
func confine(l Limits, idle bool) error {
	used, err := dataSize()
	if err != nil {
		return err
	}
	// A process this short does not collect much before it ends, but gets busy
	// with it before the hard limit kills.
	debug.SetGCPercent(gcPercent)
	runtime.GOMAXPROCS(1) // whatever there is to collect, the other cores are for requests
	giveWayToAll(idle)
	debug.SetMemoryLimit(l.Memory / 4 * 3)
	for _, r := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_DATA", unix.RLIMIT_DATA, uint64(used + l.Memory)},
		{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, maxSnapshot},
		// When control has died nobody else ends a child that spins.
		{"RLIMIT_CPU", unix.RLIMIT_CPU, uint64(2*l.Time/time.Second) + 1},
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
	_, rest, ok := bytes.Cut(status, []byte("VmData:"))
	fields := bytes.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, fmt.Errorf("/proc/self/status has no VmData")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/self/status: VmData: %w", err)
	}
	return kib << 10, nil
}
