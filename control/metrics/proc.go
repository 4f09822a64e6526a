package metrics

import (
	"bytes"
	"os"
	"strconv"

	"pingap/ipc"
)

// sockets adds the TCP sockets of the machine, or of the network namespace that this process is in. The kernel keeps the sums: reading them
// costs the same however many there are.
func sockets(p *page) {
	for _, s := range []struct{ name, help, file, prefix string }{
		{"pingap_tcp_count", "TCP sockets over IPv4 that are in use, of all processes in the network namespace.", "/proc/net/sockstat", "TCP: inuse "},
		{"pingap_tcp6_count", "TCP sockets over IPv6 that are in use, of all processes in the network namespace.", "/proc/net/sockstat6", "TCP6: inuse "},
	} {
		text, err := os.ReadFile(s.file)
		if err != nil {
			continue // a kernel without IPv6
		}
		if n, ok := figure(text, s.prefix); ok {
			p.gauge(s.name, s.help, n, p.common)
		}
	}
}

// figure finds the number behind a text.
func figure(text []byte, behind string) (float64, bool) {
	_, rest, found := bytes.Cut(text, []byte(behind))
	if !found {
		return 0, false
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(fields[0]), 64)
	return n, err == nil
}

// descriptors counts those of a process: as it says itself, or as far as this process may look.
func descriptors(proc *ipc.Process) int {
	if proc.Status.FDs > 0 {
		return proc.Status.FDs
	}
	dir, err := os.Open("/proc/" + strconv.Itoa(proc.PID) + "/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	if info, err := dir.Stat(); err == nil && info.Size() > 0 {
		return int(info.Size()) // since Linux 6.2
	}
	names, _ := dir.Readdirnames(-1) // as far as it goes
	return len(names)
}
