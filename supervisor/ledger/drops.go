package ledger

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// listenDrops is the kernel's count of connections that found a full queue (TcpExt ListenDrops), over all listeners of this network
// namespace; 0 where it does not tell.
func listenDrops() uint64 {
	data, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return 0
	}
	return dropsIn(string(data))
}

// dropsIn reads pairs of lines: names, then values.
func dropsIn(text string) uint64 {
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		at := slices.Index(names, "ListenDrops")
		if at < 0 || at >= len(values) || names[0] != "TcpExt:" {
			continue
		}
		n, err := strconv.ParseUint(values[at], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}
