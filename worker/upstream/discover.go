package upstream

import (
	"net/netip"

	"go.uber.org/zap"
)

// discover makes the first set of backends: the addresses of the configuration. Where the others are SetEndpoints tells.
func (u *Upstream) discover(opt Options) {
	switch u.Config.Discovery {
	case "transparent":
		u.transparent = newTransparent(u, opt)
		return
	case "docker": // addrs are labels
		return
	}
	var list []Endpoint
	for _, b := range u.Config.Backends() {
		if b.Network == "unix" || isLiteral(b.Host) {
			list = append(list, Endpoint{Address: b.Address, Weight: b.Weight, Backup: b.Backup})
		}
	}
	if len(list) > maxBackends {
		u.logger.Warn("too many backends: the last ones are left out", zap.String("upstream", u.Name),
			zap.Int("backends", len(list)), zap.Int("most", maxBackends))
	}
	u.SetEndpoints(list, nil)
}

func isLiteral(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
