package worker

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/worker/proxy"
)

// status is what the supervisor is told. Heartbeats are not counted as connections and requests.
func (w *worker) status(message string) ipc.Status {
	s := w.proxy.Stats()
	active := max(0, s.InFlight-s.Tunnels)
	return ipc.Status{
		State: w.state, SHA: w.live.sha, Version: w.live.Version, Message: message,
		Connections: map[string]int64{
			"active": active, "tunnel": s.Tunnels, "parked": s.Parked,
			"idle": max(0, s.Connections-active-s.Tunnels-s.Parked),
		},
		Accepted: uint64(max(0, w.gate.accepted.Load()-w.beats.Load())), Requests: w.requests(s), InFlight: s.InFlight,
		RSS: residentBytes(), Goroutines: runtime.NumGoroutine(), FDs: openFiles(),
		Uptime: time.Since(w.began), LogDropped: w.logs.lost() + w.appLog.Lost(),
	}
}

func (w *worker) requests(s proxy.Stats) uint64 {
	return s.Requests - min(s.Requests, uint64(w.beats.Load()))
}

// residentBytes is the memory of this process; 0 where it cannot be read.
func residentBytes() int64 {
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

// openFiles is the number of open descriptors. Since Linux 6.2 the size of the directory says it; 0 where it does not, as
// counting thousands each second would cost more than it tells.
func openFiles() int {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/fd", &st); err != nil {
		return 0
	}
	return int(st.Size)
}

// startTime is field 22 of /proc/self/stat, which with the pid names a process for ever; 0 where it cannot be read.
func startTime() uint64 {
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
