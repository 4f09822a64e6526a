package upstream

import (
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"pingap/config"
)

// Names are resolved again after update_frequency, within these bounds.
const (
	defaultRefresh = time.Minute
	minRefresh     = 5 * time.Second
	maxRefresh     = 5 * time.Minute
)

// discover makes the first set of backends, and starts the resolving of names if there are any.
func (u *Upstream) discover(opt Options, lookup lookupFunc) {
	switch u.Config.Discovery {
	case "transparent":
		u.transparent = newTransparent(u, opt)
		return
	case "docker":
		u.logger.Warn("docker discovery is not in effect: the upstream has no backends", zap.String("upstream", u.Name))
		return
	}
	u.backends = u.Config.Backends()
	if len(u.backends) > maxBackends {
		u.logger.Warn("too many backends: the last ones are left out", zap.String("upstream", u.Name),
			zap.Int("backends", len(u.backends)), zap.Int("most", maxBackends))
	}
	hosts := hostNames(u.backends)
	if len(hosts) == 0 {
		u.rebuild()
		return
	}
	u.names = newNames(u, hosts, opt, lookup)
	u.rebuild()
	u.names.start()
}

// hostNames returns the names among the addresses, each once.
func hostNames(backends []config.Backend) []string {
	var hosts []string
	for _, b := range backends {
		if b.Network == "tcp" && !isLiteral(b.Host) && !slices.Contains(hosts, b.Host) {
			hosts = append(hosts, b.Host)
		}
	}
	return hosts
}

func isLiteral(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// refreshOf returns how often names are resolved again, 0 for never.
func refreshOf(cfg *config.Upstream) time.Duration {
	if cfg.IsStatic() {
		return 0
	}
	if cfg.UpdateFrequency == 0 {
		return defaultRefresh
	}
	return min(max(cfg.UpdateFrequency.Std(), minRefresh), maxRefresh)
}

// rebuild makes the set anew from configuration, resolved names and what is down.
func (u *Upstream) rebuild() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rebuildLocked()
}

func (u *Upstream) rebuildLocked() {
	u.set.Store(newSet(u.entriesLocked(), u.balance.algo == algoHash))
}

// entriesLocked lists the backends in the order of the configuration, each address once.
func (u *Upstream) entriesLocked() []entry {
	var entries []entry
	seen := map[string]bool{}
	add := func(address config.Address, weight int) {
		key := address.Network + address.String()
		if seen[key] || len(entries) >= maxBackends {
			return
		}
		seen[key] = true
		b := u.known[key]
		if b == nil {
			b = newBackend(u, address)
			u.known[key] = b
		}
		entries = append(entries, entry{b, weight})
	}
	for _, b := range u.backends {
		if b.Network == "unix" || isLiteral(b.Host) {
			add(b.Address, b.Weight)
			continue
		}
		for _, ip := range u.names.resolved[b.Host] {
			add(config.Address{Network: "tcp", Host: ip.String(), Port: b.Port}, b.Weight)
		}
	}
	return entries
}
