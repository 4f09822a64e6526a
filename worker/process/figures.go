package process

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Resident is the memory of this process; 0 where it cannot be read.
func Resident() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(data)
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// OpenFiles is the number of open descriptors. Since Linux 6.2 the size of the directory says it; 0 where it does not, as
// counting thousands each second would cost more than it tells.
func OpenFiles() int {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/fd", &st); err != nil {
		return 0
	}
	return int(st.Size)
}

// StartTime is field 22 of /proc/self/stat, which with the pid names a process for ever; 0 where it cannot be read.
func StartTime() uint64 {
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(data, []byte(") ")) // the name before it may hold blanks
	f := bytes.Fields(rest)
	const place = 22 - 3 // the rest begins with field 3
	if !found || len(f) <= place {
		return 0
	}
	ticks, err := strconv.ParseUint(string(f[place]), 10, 64)
	if err != nil {
		return 0
	}
	return ticks
}
