package explain

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"pingap/worker/proxy"
)

// listening are the listeners that lead to a server.
func (s *Site) listening() []Listener {
	return slices.DeleteFunc(slices.Clone(s.Listeners), func(l Listener) bool { return s.server(l) == nil })
}

// choose finds the listeners that a URL leads to: one for each server.
func (s *Site) choose(q *Question, a *asked) (found []Listener, notes []string, err error) {
	all := s.listening()
	if q.Server != "" {
		all = slices.DeleteFunc(all, func(l Listener) bool { return s.server(l).Name != q.Server })
		if len(all) == 0 {
			return nil, nil, mistake(http.StatusNotFound, "there is no server %.100q", q.Server)
		}
	}
	found = keep(all, func(l Listener) bool { return (s.server(l).TLS != nil) == a.secure })
	switch port := portOf(a); {
	case a.port != 0:
		found = keep(found, func(l Listener) bool { return portIs(l, port) })
	case slices.ContainsFunc(found, func(l Listener) bool { return portIs(l, port) }):
		found = keep(found, func(l Listener) bool { return portIs(l, port) })
	case len(found) > 0:
		notes = append(notes, fmt.Sprintf("the URL has no port, and nothing listens on %d: taken is what listens for %s", port, scheme(a.secure)))
	}
	found = once(narrow(found, a), s)
	if len(found) == 0 {
		return nil, nil, mistake(http.StatusNotFound, "nothing listens for %s on port %d: there is %s", scheme(a.secure), portOf(a), s.list(all))
	}
	if len(found) > maxServers {
		notes = append(notes, fmt.Sprintf("%d further servers are left out: give a port", len(found)-maxServers))
		found = found[:maxServers]
	}
	return found, notes, nil
}

func keep(all []Listener, good func(Listener) bool) []Listener {
	return slices.DeleteFunc(slices.Clone(all), func(l Listener) bool { return !good(l) })
}

func portOf(a *asked) int {
	switch {
	case a.port != 0:
		return a.port
	case a.secure:
		return 443
	}
	return 80
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

func portIs(l Listener, port int) bool {
	addr, err := netip.ParseAddrPort(l.Address)
	return err == nil && int(addr.Port()) == port
}

// narrow prefers listeners on the very address that the URL has, as the kernel does.
func narrow(found []Listener, a *asked) []Listener {
	ip, err := netip.ParseAddr(a.host)
	if err != nil || len(found) < 2 {
		return found
	}
	same := keep(found, func(l Listener) bool {
		addr, err := netip.ParseAddrPort(l.Address)
		return err == nil && addr.Addr() == ip
	})
	if len(same) > 0 {
		return same
	}
	return found
}

// once leaves one listener of each server.
func once(found []Listener, s *Site) []Listener {
	seen := map[*proxy.Server]bool{}
	return keep(found, func(l Listener) bool {
		server := s.server(l)
		first := !seen[server]
		seen[server] = true
		return first
	})
}

// list names what there is.
func (s *Site) list(all []Listener) string {
	var parts []string
	for _, l := range all {
		server := s.server(l)
		parts = append(parts, fmt.Sprintf("%s (%s on %s)", server.Name, scheme(server.TLS != nil), l.Address))
		if len(parts) == maxServers {
			parts = append(parts, "...")
			break
		}
	}
	if len(parts) == 0 {
		return "no server"
	}
	return strings.Join(parts, ", ")
}
