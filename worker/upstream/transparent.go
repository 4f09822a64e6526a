package upstream

import (
	"net"
	"net/netip"
	"sync"

	"pingap/config"
	"pingap/message"
)

// maxDynamic is the number of hosts that a transparent upstream keeps connections for. The one used
// longest ago makes room.
const maxDynamic = 1024

// maxHostName is the longest host in bytes that is looked up.
const maxHostName = 253

// transparent makes backends of the hosts that requests ask for.
//
// The client chooses the destination, so what it may not reach is refused when the address is
// known: loopback, unspecified, multicast and link-local addresses (among them the metadata
// services of clouds), and every address of this machine, which also ends recursion into ourselves.
// Other private networks are reachable: put the location behind authentication.
type transparent struct {
	upstream  *Upstream
	port      int
	allowSelf bool

	mu             sync.Mutex // guards all below and the links of the backends
	hosts          map[string]*Backend
	oldest, newest *Backend
}

func newTransparent(u *Upstream, opt Options) *transparent {
	port := 80
	if u.Config.SNI != "" {
		port = 443
	}
	return &transparent{upstream: u, port: port, allowSelf: opt.AllowSelf, hosts: map[string]*Backend{}}
}

// pick returns the backend for the host of a request; nil for a host that is none, or was tried.
func (t *transparent) pick(rec *message.Record, tried []*Backend) *Backend {
	var space [maxHostName]byte
	host, ok := lowerHost(space[:0], rec.Request.HostName())
	if !ok {
		return nil
	}
	b, evicted := t.use(host)
	if evicted != nil {
		discardAll(t.upstream.pool.forget(evicted))
		evicted.shared.close()
	}
	if contains(tried, b) {
		return nil
	}
	return b
}

func (t *transparent) use(host []byte) (used, evicted *Backend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.hosts[string(host)]
	if b != nil {
		t.unlinkLocked(b)
		t.linkLocked(b)
		return b, nil
	}
	if len(t.hosts) >= maxDynamic {
		evicted = t.oldest
		t.unlinkLocked(evicted)
		delete(t.hosts, evicted.address.Host)
	}
	name := string(host)
	b = newBackend(t.upstream, t.address(name))
	t.hosts[name] = b
	t.linkLocked(b)
	return b, evicted
}

func (t *transparent) address(host string) config.Address {
	return config.Address{Network: "tcp", Host: host, Port: t.port}
}

func (t *transparent) linkLocked(b *Backend) {
	b.older, b.newer = t.newest, nil
	if t.newest != nil {
		t.newest.newer = b
	} else {
		t.oldest = b
	}
	t.newest = b
}

func (t *transparent) unlinkLocked(b *Backend) {
	if b.newer != nil {
		b.newer.older = b.older
	} else {
		t.newest = b.older
	}
	if b.older != nil {
		b.older.newer = b.newer
	} else {
		t.oldest = b.newer
	}
	b.older, b.newer = nil, nil
}

// backends returns the present ones, the least recently used first.
func (t *transparent) backends() []*Backend {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*Backend
	for b := t.oldest; b != nil; b = b.newer {
		out = append(out, b)
	}
	return out
}

// allowed reports whether an address, as the dialler is about to connect to it, may be reached.
func (t *transparent) allowed(address string) bool {
	if t.allowSelf {
		return true
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := ap.Addr().Unmap()
	return !(ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() ||
		ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}

// isSelf reports whether both ends of a connection are this machine: the kernel then gives both the
// same address.
func (t *transparent) isSelf(local, remote net.Addr) bool {
	return !t.allowSelf && addrOf(local) == addrOf(remote)
}

// lowerHost appends a host in lower case to dst, an IPv6 literal without its brackets, and reports
// whether it is a name or an address.
func lowerHost(dst, host []byte) ([]byte, bool) {
	literal := len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']'
	if literal {
		host = host[1 : len(host)-1]
	}
	if len(host) == 0 || len(host) > maxHostName {
		return nil, false
	}
	for _, c := range host {
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == ':' && literal:
		default:
			return nil, false
		}
		dst = append(dst, c)
	}
	return dst, true
}
