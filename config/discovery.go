package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// NameServers reads dns_server: IP addresses with commas between, each with a port where it is not 53.
func NameServers(list string) ([]netip.AddrPort, error) {
	const port = 53
	var servers []netip.AddrPort
	for _, text := range splitList(list) {
		if addr, err := netip.ParseAddr(text); err == nil {
			servers = append(servers, netip.AddrPortFrom(addr, port))
			continue
		}
		server, err := netip.ParseAddrPort(text)
		if err != nil || server.Port() == 0 {
			return nil, fmt.Errorf("expected IP addresses, with a port where it is not 53, and commas between, found %q", clip(text))
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// SearchDomains are the domains of dns_search, then of dns_domain.
func (u *Upstream) SearchDomains() []string {
	var domains []string
	for _, domain := range splitList(u.DNSSearch + "," + u.DNSDomain) {
		if domain = strings.Trim(domain, "."); domain != "" {
			domains = append(domains, domain)
		}
	}
	return domains
}

// IsService says whether a name is one of a service, _service._proto.domain (RFC 2782), which DNS discovery looks up as SRV.
func IsService(name string) bool {
	service, rest, ok := strings.Cut(name, ".")
	return ok && len(service) > 1 && service[0] == '_' && len(rest) > 1 && rest[0] == '_'
}

// DockerLabel is one entry of upstreams.X.addrs with docker discovery: which containers, and how they are reached.
type DockerLabel struct {
	Key    string
	Value  string // where Valued
	Valued bool   // only containers whose label has this value; else it may have any
	Port   int    // 0: the first port that the container exposes
	Weight int    // at least 1
	Backup bool
}

// Label is the label as the engine's filters write it.
func (d DockerLabel) Label() string {
	if d.Valued {
		return d.Key + "=" + d.Value
	}
	return d.Key
}

// ParseDockerLabel reads "key[=value][:port]", with a weight and the word backup behind it, in this order, where wanted. What is behind
// the last colon is the port.
func ParseDockerLabel(text string) (DockerLabel, error) {
	words, weight, backup, err := cutWeight(text)
	if err != nil {
		return DockerLabel{}, err
	}
	d := DockerLabel{Weight: weight, Backup: backup}
	label := words
	if i := strings.LastIndexByte(label, ':'); i >= 0 {
		if d.Port, err = strconv.Atoi(label[i+1:]); err != nil || d.Port < 1 || d.Port > 65535 {
			return DockerLabel{}, fmt.Errorf("label %q: expected a port of 1 to 65535 behind the colon", clip(text))
		}
		label = label[:i]
	}
	d.Key, d.Value, d.Valued = strings.Cut(label, "=")
	if d.Key == "" {
		return DockerLabel{}, fmt.Errorf("label %q: expected key[=value][:port]", clip(text))
	}
	if strings.ContainsFunc(label, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return DockerLabel{}, fmt.Errorf("label %q: expected no control characters", clip(text))
	}
	return d, nil
}

// DockerLabels are the entries of addrs by their places. Entries that do not parse, which Load refuses, have no key.
func (u *Upstream) DockerLabels() []DockerLabel {
	out := make([]DockerLabel, len(u.Addrs))
	for i, text := range u.Addrs {
		out[i], _ = ParseDockerLabel(text)
	}
	return out
}

// Backend reads one entry of addrs; of docker discovery they are labels.
func (u *Upstream) Backend(text string) (Backend, error) {
	return ParseBackend(text, u.defaultPort())
}
