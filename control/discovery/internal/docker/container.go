package docker

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// Container is one that runs, as GET /containers/json lists it.
type Container struct {
	ID              string            `json:"Id"`
	State           string            `json:"State"`
	Labels          map[string]string `json:"Labels"`
	Ports           []Port            `json:"Ports"`
	NetworkSettings struct {
		Networks map[string]Network `json:"Networks"`
	} `json:"NetworkSettings"`
}

// Port is one that the container exposes. A published one is listed for each address that the host has it on.
type Port struct {
	IP          string `json:"IP"` // of the host
	PrivatePort uint16 `json:"PrivatePort"`
	PublicPort  uint16 `json:"PublicPort"` // of the host, 0: not published
	Type        string `json:"Type"`
}

// Network is one that the container is in.
type Network struct {
	IPAddress         string `json:"IPAddress"`
	Gateway           string `json:"Gateway"`
	GlobalIPv6Address string `json:"GlobalIPv6Address"`
	IPv6Gateway       string `json:"IPv6Gateway"`
}

// Reached returns where a container is reached, one address for each network that it is in. With a port that is the container's own
// address. Without, it is the first port that the container exposes: by the network's gateway where it is published, else by the
// container's own address.
func (c *Container) Reached(port int, ipv4Only bool) []netip.AddrPort {
	exposed := Port{PrivatePort: uint16(port)}
	if port == 0 {
		first, ok := c.first()
		if !ok {
			return nil
		}
		exposed = first
	}
	var out []netip.AddrPort
	for _, name := range slices.Sorted(maps.Keys(c.NetworkSettings.Networks)) {
		n := c.NetworkSettings.Networks[name]
		at, ok := exposed.of(n.IPAddress, n.Gateway)
		if !ok && !ipv4Only {
			at, ok = exposed.of(n.GlobalIPv6Address, n.IPv6Gateway)
		}
		if ok && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// first is the lowest TCP port, since the engine lists them in no order; the published one where it is.
func (c *Container) first() (Port, bool) {
	var ports []Port
	for _, p := range c.Ports {
		if (p.Type == "tcp" || p.Type == "") && p.PrivatePort > 0 {
			if !p.everywhere() {
				p.PublicPort = 0
			}
			ports = append(ports, p)
		}
	}
	if len(ports) == 0 {
		return Port{}, false
	}
	return slices.MinFunc(ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(b.PublicPort, a.PublicPort))
	}), true
}

// everywhere says whether the port is published on every address of the host. One published on 127.0.0.1 or another single address
// is not there at the gateway's.
func (p Port) everywhere() bool {
	ip, err := netip.ParseAddr(p.IP)
	return p.PublicPort > 0 && (p.IP == "" || err == nil && ip.IsUnspecified())
}

// of returns the port's place in a network with the container's address and the gateway's.
func (p Port) of(own, gateway string) (netip.AddrPort, bool) {
	if ip, ok := usable(gateway); ok && p.PublicPort > 0 {
		return netip.AddrPortFrom(ip, p.PublicPort), true
	}
	ip, ok := usable(own)
	return netip.AddrPortFrom(ip, p.PrivatePort), ok
}

func usable(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(text)
	return ip.Unmap(), err == nil && !ip.IsUnspecified() && !ip.IsMulticast()
}
