package process

import (
	"bytes"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Title makes ps and top show pingap: what is executed from /proc/self/exe is called exe.
func Title() {
	_ = os.WriteFile("/proc/self/comm", []byte("pingap"), 0) // cosmetic
}

// Name is Title for a worker. It creates no files, but a plugin might.
func Name() {
	Title()
	unix.Umask(0o077)
}

// memoryShare is the part of the machine's or the group's memory that all workers together aim to stay in.
const memoryShare = 0.8

// Limit sets threads and the memory that the garbage collector aims at. GOMEMLIMIT in the environment wins.
func Limit(log *zap.Logger, threads, slots int) {
	if threads > 0 {
		runtime.GOMAXPROCS(threads)
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	if all := memory("/"); all > 0 {
		share := int64(float64(all) * memoryShare / float64(max(slots, 1)))
		debug.SetMemoryLimit(share)
		log.Debug("memory limit", zap.Int64("bytes", share), zap.Int("workers", slots))
	}
}

// Memory is what this process may use: the least of the machine's memory and the limits of its control groups, in bytes; 0 when
// nothing can be read.
func Memory() int64 { return memory("/") }

// memory is the least of the machine's memory and the limits of the control groups this process is in, in bytes; 0 when
// nothing can be read. root is "/" but in tests.
func memory(root string) int64 {
	least := machineMemory(root)
	data, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		switch {
		case f[0] == "0": // version 2
			least = groupMemory(root, "sys/fs/cgroup", f[2], "memory.max", least)
		case strings.Contains(","+f[1]+",", ",memory,"):
			least = groupMemory(root, "sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes", least)
		}
	}
	return least
}

func machineMemory(root string) int64 {
	data, err := os.ReadFile(path.Join(root, "proc/meminfo"))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(data, []byte("MemTotal:"))
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(string(f[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// groupMemory lowers least to the limits of a group and of those around it. In a container the group's own path may not
// exist: then its root is the mount itself.
func groupMemory(root, mount, group, file string, least int64) int64 {
	for {
		data, err := os.ReadFile(path.Join(root, mount, group, file))
		if err == nil {
			n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64) // "max" is none
			if err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
		if group == "/" || group == "." || group == "" {
			return least
		}
		group = path.Dir(group)
	}
}

// slimMargin is what a process that goes slim may still take, in bytes, besides half of what it uses.
const slimMargin = 64 << 20

// Slim gives memory back to the system that is not in use, and lowers what the garbage collector aims at to what is used and a
// margin: a process that is ending shall not keep its successor from it. It collects garbage, which takes a moment.
func Slim() {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	used := int64(m.Sys - m.HeapReleased)
	if limit := used + used/2 + slimMargin; limit < debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(limit)
	}
}
