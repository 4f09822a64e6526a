package health

import (
	"fmt"
	"os"
)

// ports is a range of them.
type ports struct{ low, high int }

func (p ports) has(port int) bool { return p.low <= port && port <= p.high }

// chosenPorts are those among which the kernel chooses this end's port of a connection; all where it does not say.
func chosenPorts() ports {
	var p ports
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range") // for IPv6 too
	if err == nil {
		_, err = fmt.Sscan(string(text), &p.low, &p.high)
	}
	if err != nil {
		return ports{0, 65535}
	}
	return p
}
