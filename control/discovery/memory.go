package discovery

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"pingap/config"
	"pingap/control/discovery/internal/dns"
)

const (
	// An address that is missing from an answer stays for two TTLs, and half of one for look-ups that come a little late, within these
	// bounds: with a TTL of up to a minute it is back in time if only one answer was without it.
	minGrace = 15 * time.Second
	maxGrace = 75 * time.Second
	// A name is gone when that was said goneTimes over goneFor.
	goneTimes = 2
	goneFor   = 30 * time.Second
)

// found is one address of an answer.
type found struct {
	Endpoint
	origin dns.Origin
}

// memory is what the answers for one name have said. It belongs to the name's watcher.
type memory struct {
	known map[config.Address]*kept
	said  int       // how often the name was said to be gone
	since time.Time // the first of these times
}

// kept is an address, and when it goes where the last answer was without it.
type kept struct {
	found
	leaves time.Time
}

// answer takes in an answer that holds for ttl. Of failed origins it says nothing.
func (m *memory) answer(now time.Time, list []found, failed []dns.Origin, ttl time.Duration) {
	grace := min(max(2*ttl+ttl/2, minGrace), maxGrace)
	m.said = 0
	next := map[config.Address]*kept{}
	for _, f := range list {
		if _, twice := next[f.Address]; !twice {
			next[f.Address] = &kept{found: f}
		}
	}
	for address, k := range m.known {
		if next[address] != nil {
			continue
		}
		if k.leaves.IsZero() && !slices.Contains(failed, k.origin) {
			k.leaves = now.Add(grace)
		}
		next[address] = k
	}
	m.known = next
	m.bound()
}

// bound drops the addresses that leave soonest, where a rotating answer has brought more than an upstream may have.
func (m *memory) bound() {
	if len(m.known) <= maxEndpoints {
		return
	}
	var leaving []*kept
	for _, k := range m.known {
		if !k.leaves.IsZero() {
			leaving = append(leaving, k)
		}
	}
	slices.SortFunc(leaving, func(a, b *kept) int { return a.leaves.Compare(b.leaves) })
	for _, k := range leaving[:min(len(leaving), len(m.known)-maxEndpoints)] {
		delete(m.known, k.Address)
	}
}

// expire drops what was missing for long enough, and says whether there was any. The last answer's addresses never leave, so
// something is left.
func (m *memory) expire(now time.Time) bool {
	before := len(m.known)
	maps.DeleteFunc(m.known, func(_ config.Address, k *kept) bool { return !k.leaves.IsZero() && !now.Before(k.leaves) })
	return len(m.known) < before
}

// next is when something leaves; zero for never.
func (m *memory) next() time.Time {
	var first time.Time
	for _, k := range m.known {
		if !k.leaves.IsZero() && (first.IsZero() || k.leaves.Before(first)) {
			first = k.leaves
		}
	}
	return first
}

// gone notes that there is no such name, and says whether that is to be believed.
func (m *memory) gone(now time.Time) bool {
	if m.said == 0 {
		m.since = now
	}
	m.said++
	return m.said >= goneTimes && now.Sub(m.since) >= goneFor
}

// list is what is known, primary backends first, in a fixed order.
func (m *memory) list() []Endpoint {
	var out []Endpoint
	for _, k := range m.known {
		out = append(out, k.Endpoint)
	}
	slices.SortFunc(out, compare)
	return out
}

func compare(a, b Endpoint) int {
	if a.Backup != b.Backup {
		if a.Backup {
			return 1
		}
		return -1
	}
	x, _ := netip.ParseAddr(a.Address.Host)
	y, _ := netip.ParseAddr(b.Address.Host)
	return cmp.Or(x.Compare(y), cmp.Compare(a.Address.Port, b.Address.Port))
}
