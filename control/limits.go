package control

import (
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"pingap/control/rlimits"
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
	used, err := rlimits.DataSize()
	if err != nil {
		return err
	}
	// A process this short does not collect much before it ends, but gets busy
	// with it before the hard limit kills.
	debug.SetGCPercent(gcPercent)
	runtime.GOMAXPROCS(1) // whatever there is to collect, the other cores are for requests
	giveWayToAll(idle)
	debug.SetMemoryLimit(l.Memory / 4 * 3)
	return rlimits.Set(
		rlimits.Limit{Name: "RLIMIT_DATA", Resource: unix.RLIMIT_DATA, Value: uint64(used + l.Memory)},
		rlimits.Limit{Name: "RLIMIT_FSIZE", Resource: unix.RLIMIT_FSIZE, Value: maxSnapshot},
		// When control has died nobody else ends a child that spins.
		rlimits.Limit{Name: "RLIMIT_CPU", Resource: unix.RLIMIT_CPU, Value: uint64(2*l.Time/time.Second) + 1},
		rlimits.Limit{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE, Value: 0},
	)
}
