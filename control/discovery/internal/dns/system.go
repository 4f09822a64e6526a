package dns

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// lookAgain is how often the system's files are looked at, when they are asked for.
	lookAgain = 5 * time.Second
	// maxFile bounds what is read of one of them.
	maxFile    = 8 << 20
	maxServers = 3 // of resolv.conf, as others have it
	maxDomains = 16
	maxNdots   = 15
)

// system is what the host's files say. They are read again when they have changed.
type system struct {
	mu           sync.Mutex
	resolv, host watched
	addrs        []netip.AddrPort
	domains      []string
	ndots        int
	names        map[string][]netip.Addr // of the hosts file, in lower case
}

// watched is a file and what it was when it was last read.
type watched struct {
	path   string
	looked time.Time
	stamp  time.Time
	size   int64
}

func newSystem(resolvConf, hosts string) *system {
	return &system{resolv: watched{path: resolvConf, size: -1}, host: watched{path: hosts, size: -1}}
}

// changed says whether the file is to be read.
func (w *watched) changed() bool {
	now := time.Now()
	if !w.looked.IsZero() && now.Sub(w.looked) < lookAgain {
		return false
	}
	first := w.looked.IsZero()
	w.looked = now
	var stamp time.Time
	var size int64
	if info, err := os.Stat(w.path); err == nil {
		stamp, size = info.ModTime(), info.Size()
	}
	same := w.stamp.Equal(stamp) && w.size == size
	w.stamp, w.size = stamp, size
	return first || !same
}

// lines calls fn with the words of each line. A file that cannot be read has none.
func (w *watched) lines(comment string, fn func(words []string)) {
	f, err := os.Open(w.path)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(io.LimitReader(f, maxFile)); s.Scan(); {
		line := s.Text()
		if i := strings.IndexAny(line, comment); i >= 0 {
			line = line[:i]
		}
		if words := strings.Fields(line); len(words) > 1 {
			fn(words)
		}
	}
}

// servers are the name servers of resolv.conf, or the one of this host where it names none.
func (s *system) servers() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readResolvLocked()
	return s.addrs
}

// search are the domains of resolv.conf, and how many dots a name has that is tried without them first.
func (s *system) search() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readResolvLocked()
	return s.domains, s.ndots
}

func (s *system) readResolvLocked() {
	if !s.resolv.changed() {
		return
	}
	s.addrs, s.domains, s.ndots = nil, nil, 1
	s.resolv.lines("#;", func(words []string) {
		switch words[0] {
		case "nameserver":
			if ip, err := netip.ParseAddr(words[1]); err == nil && len(s.addrs) < maxServers {
				s.addrs = append(s.addrs, netip.AddrPortFrom(ip, 53))
			} else if server, err := netip.ParseAddrPort(words[1]); err == nil && len(s.addrs) < maxServers {
				s.addrs = append(s.addrs, server)
			}
		case "domain", "search": // the last one counts
			s.domains = nil
			for _, domain := range words[1:min(len(words), maxDomains+1)] {
				if domain = strings.Trim(domain, "."); domain != "" {
					s.domains = append(s.domains, domain)
				}
			}
		case "options":
			for _, word := range words[1:] {
				if text, ok := strings.CutPrefix(word, "ndots:"); ok {
					if n, err := strconv.Atoi(text); err == nil {
						s.ndots = min(max(n, 0), maxNdots)
					}
				}
			}
		}
	})
	if len(s.addrs) == 0 {
		s.addrs = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("[::1]:53")}
	}
}

// lookup returns what the hosts file says of a name.
func (s *system) lookup(name string) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.host.changed() {
		s.names = map[string][]netip.Addr{}
		s.host.lines("#", func(words []string) {
			ip, err := netip.ParseAddr(words[0])
			if err != nil {
				return
			}
			for _, name := range words[1:] {
				name = strings.ToLower(strings.TrimSuffix(name, "."))
				if !slices.Contains(s.names[name], ip.Unmap()) {
					s.names[name] = append(s.names[name], ip.Unmap())
				}
			}
		})
	}
	return s.names[name]
}

// local answers from the hosts file, and for localhost (RFC 6761, 6.3), without asking anybody.
func (r *Resolver) local(s Settings, host string) (Answer, bool) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	list := r.system.lookup(name)
	if len(list) == 0 && (name == "localhost" || strings.HasSuffix(name, ".localhost")) {
		list = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	a := Answer{Name: name, Until: time.Now().Add(hostsTTL)}
	for _, ip := range list {
		if ip.Is4() || !s.IPv4Only {
			a.Addrs = append(a.Addrs, Address{ip, Origin{name, ip.Is6()}})
		}
	}
	return a, len(a.Addrs) > 0
}
