package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"pingap/config"
)

// lookupFunc resolves a name; network is "ip" or "ip4".
type lookupFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

// newResolver returns the resolver that an upstream asks for: the system's name servers, or its own.
func newResolver(cfg *config.Upstream) (*net.Resolver, error) {
	r := &net.Resolver{PreferGo: true}
	servers, err := nameServers(cfg.DNSServer)
	if err != nil || len(servers) == 0 {
		return r, err
	}
	var turn atomic.Uint32
	r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer // the resolver's retries come here again and so reach the next server
		return d.DialContext(ctx, network, servers[int(turn.Add(1)-1)%len(servers)])
	}
	return r, nil
}

// nameServers reads a comma list of addresses; the port is 53 unless given.
func nameServers(list string) ([]string, error) {
	const dnsPort = 53
	var servers []string
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if addr, err := netip.ParseAddr(text); err == nil {
			servers = append(servers, netip.AddrPortFrom(addr, dnsPort).String())
			continue
		}
		ap, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fmt.Errorf("dns_server %q: expected an IP address, with or without a port", text)
		}
		servers = append(servers, ap.String())
	}
	return servers, nil
}

// candidates returns the names to try for a host, in order. With search domains they are absolute,
// so that those of the system do not come in; a host with a dot is tried as it is first.
func candidates(cfg *config.Upstream, host string) []string {
	var domains []string
	for domain := range strings.SplitSeq(cfg.DNSSearch+","+cfg.DNSDomain, ",") {
		if domain = strings.Trim(strings.TrimSpace(domain), "."); domain != "" {
			domains = append(domains, domain)
		}
	}
	if len(domains) == 0 || strings.HasSuffix(host, ".") {
		return []string{host}
	}
	var names []string
	if strings.Contains(host, ".") {
		names = append(names, host+".")
	}
	for _, domain := range domains {
		names = append(names, host+"."+domain+".")
	}
	if !strings.Contains(host, ".") {
		names = append(names, host+".")
	}
	return names
}
