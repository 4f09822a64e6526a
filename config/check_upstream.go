package config

import (
	"fmt"
	"net/netip"
	"strings"

	"pingap/config/internal/places"
)

// checkUpstream judges one upstream. hosts remembers what names resolved to, so that each
// is looked up once.
func (l *loader) checkUpstream(e *entry, u *Upstream, hosts map[string]error) {
	if _, listed := e.table["addrs"].([]any); listed && len(u.Addrs) == 0 && len(e.table["addrs"].([]any)) == 0 {
		l.fail(e.problem("expected at least one backend", "addrs"))
	}
	l.checkDiscovery(e, u)
	for i, text := range u.Addrs {
		if u.Discovery != "docker" {
			l.checkBackend(e, u, i, text, hosts)
			continue
		}
		if _, err := ParseDockerLabel(text); err != nil {
			l.fail(e.problem(err.Error(), "addrs", places.Element(i)))
		}
	}
	l.checkAlgo(e, u)
	l.checkHealth(e, u)
	l.checkFailures(e, u)
	l.checkUpstreamTLS(e, u)
	if _, err := NameServers(u.DNSServer); err != nil {
		l.fail(e.problem(err.Error(), "dns_server"))
	}
	breaker := u.CircuitBreakMaxConsecutiveFailures > 0 || u.CircuitBreakMaxFailurePercent > 0
	if breaker && !u.EnableBackendStats {
		l.warn(e.problem("the circuit breaker gets no data without enable_backend_stats = true", breakerKey(u)))
	}
}

// checkFailures judges what counts as failure, and what is done about it.
func (l *loader) checkFailures(e *entry, u *Upstream) {
	for key, text := range map[string]string{"backend_failure_status_code": u.BackendFailureStatusCode, "eject_status": u.EjectStatus, "retry_status": u.RetryStatus} {
		if _, err := StatusList(text); err != nil {
			l.fail(e.problem(err.Error(), key))
		}
	}
	if _, err := u.StickyCookie(); err != nil {
		l.fail(e.problem(err.Error(), "sticky"))
	}
	if u.Discovery != "transparent" {
		return
	}
	for key, set := range map[string]bool{"sticky": u.Sticky != "", "slow_start": u.SlowStart > 0, "max_requests_per_backend": u.MaxRequestsPerBackend > 0,
		"eject_consecutive_failures": u.EjectConsecutiveFailures > 0} {
		if set {
			l.warn(e.problem("without effect: transparent discovery has no set of backends", key))
		}
	}
}

func breakerKey(u *Upstream) string {
	if u.CircuitBreakMaxConsecutiveFailures > 0 {
		return "circuit_break_max_consecutive_failures"
	}
	return "circuit_break_max_failure_percent"
}

func splitList(text string) []string {
	var out []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (l *loader) checkDiscovery(e *entry, u *Upstream) {
	switch u.Discovery {
	case "", "static", "dns", "docker", "transparent":
	default:
		l.warn(e.problem(fmt.Sprintf("unknown discovery %q, static is used; expected static, dns, docker or transparent", clip(u.Discovery)), "discovery"))
	}
}

// IsStatic says whether the backends are resolved once only: discovery is static, or is
// not set and every backend is an IP address or a socket.
func (u *Upstream) IsStatic() bool {
	switch u.Discovery {
	case "dns", "docker", "transparent":
		return false
	case "":
		for _, b := range u.Backends() {
			if isName(b.Host) {
				return false
			}
		}
	}
	return true
}

// isName says whether a host needs to be resolved.
func isName(host string) bool {
	if host == "" {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

func (l *loader) checkBackend(e *entry, u *Upstream, i int, text string, hosts map[string]error) {
	b, err := ParseBackend(text, u.defaultPort())
	if err != nil {
		l.fail(e.problem(err.Error(), "addrs", places.Element(i)))
		return
	}
	if ip, err := netip.ParseAddr(b.Host); err == nil && u.Discovery != "transparent" && !Reachable(ip) {
		l.fail(e.problem(fmt.Sprintf("address %s: expected a host, found an unspecified, broadcast, multicast or link-local address", b.Host), "addrs", places.Element(i)))
		return
	}
	if l.opt.Resolve == nil || !isName(b.Host) || u.Discovery == "transparent" || IsService(b.Host) {
		return
	}
	failure, seen := hosts[b.Host]
	if !seen {
		failure = l.opt.Resolve(b.Host)
		hosts[b.Host] = failure
	}
	if failure != nil {
		l.warn(e.problem(fmt.Sprintf("%s does not resolve, the backend is down until it does: %v", b.Host, failure), "addrs", places.Element(i)))
	}
}

// Reachable refuses addresses that no backend can have.
func Reachable(ip netip.Addr) bool {
	ip = ip.Unmap()
	broadcast := ip == netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return !ip.IsUnspecified() && !broadcast && !ip.IsMulticast() && !ip.IsLinkLocalUnicast()
}

// checkAlgo warns where Pingap falls back to another choice without a word.
func (l *loader) checkAlgo(e *entry, u *Upstream) {
	word, rest, _ := strings.Cut(u.Algo, ":")
	kind, name, _ := strings.Cut(rest, ":")
	switch word {
	case "round_robin", "least_conn", "random2", "":
		return
	case "hash":
		switch kind {
		case "url", "ip", "path":
			return
		case "header", "cookie", "query":
			if name != "" {
				return
			}
			l.fail(e.problem(fmt.Sprintf("expected the name of the %s, as in hash:%s:name", kind, kind), "algo"))
			return
		case "":
			l.warn(e.problem("hash without a type is round_robin; expected hash:url, hash:path, hash:ip, hash:header:name, hash:cookie:name or hash:query:name", "algo"))
			return
		}
		l.warn(e.problem(fmt.Sprintf("unknown type of hash %q, hash:path is used", clip(kind)), "algo"))
		return
	}
	l.warn(e.problem(fmt.Sprintf("unknown algo %q, round_robin is used%s", clip(u.Algo), l.suggest(u.Algo, []string{"round_robin", "least_conn", "random2"})), "algo"))
}

// checkHealth judges health_check. Messages leave the URL out, which may hold a token.
func (l *loader) checkHealth(e *entry, u *Upstream) {
	check, err := u.Health()
	if err != nil {
		l.fail(e.problem(err.Error(), "health_check"))
		return
	}
	for _, odd := range check.Odd {
		l.warn(e.problem(odd, "health_check"))
	}
	if u.Discovery == "transparent" && u.HealthCheck != "" {
		l.warn(e.problem("without effect: transparent discovery has no set of backends", "health_check"))
	}
}
