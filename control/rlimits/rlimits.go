package rlimits

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Limit is one of setrlimit(2).
type Limit struct {
	Name     string // for errors
	Resource int    // RLIMIT_...
	Value    uint64
}

// Set applies limits, soft and hard; none goes above what is allowed already.
func Set(all ...Limit) error {
	for _, l := range all {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.Resource, &now); err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
		value := min(l.Value, now.Max)
		if err := unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
	}
	return nil
}

// DataSize is what RLIMIT_DATA counts for this process now, in bytes.
func DataSize() (int64, error) {
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
