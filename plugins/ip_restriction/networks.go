package iprestriction

import (
	"errors"
	"net/netip"
	"slices"

	"pingap/config"
	"pingap/plugins"
)

// networks is a set of addresses: ranges in ascending order, without overlap, those of IPv4 before those of IPv6.
type networks struct {
	ranges []span
}

// span is a range of addresses of one family, both ends included.
type span struct{ first, last netip.Addr }

// readNetworks reads the entries of a list; every wrong one is named.
func readNetworks(key string, texts []string) (*networks, error) {
	var problems []error
	spans := make([]span, 0, len(texts))
	for i, text := range texts {
		network, err := config.ParseNetwork(text)
		if err != nil {
			problems = append(problems, plugins.EntryErrorf(key, i, "%v", err))
			continue
		}
		spans = append(spans, span{network.Addr(), lastOf(network)})
	}
	return &networks{merge(spans)}, errors.Join(problems...)
}

// lastOf returns the last address of a network in its masked form.
func lastOf(network netip.Prefix) netip.Addr {
	bytes := network.Addr().AsSlice()
	for bit := network.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// merge sorts, and joins ranges that overlap or touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	merged := spans[:0]
	for _, next := range spans {
		if n := len(merged); n > 0 && reaches(merged[n-1], next.first) {
			if merged[n-1].last.Less(next.last) {
				merged[n-1].last = next.last
			}
			continue
		}
		merged = append(merged, next)
	}
	return slices.Clip(merged)
}

// reaches tells that a range holds an address, or ends right before it.
func reaches(s span, a netip.Addr) bool {
	return s.first.BitLen() == a.BitLen() && (!s.last.Less(a) || s.last.Next() == a)
}

// contain reports whether an address is in the set. One of IPv4 written as IPv6 is one of IPv4.
func (n *networks) contain(a netip.Addr) bool {
	a = a.Unmap()
	low, high := 0, len(n.ranges)
	for low < high { // the first range that begins behind a
		middle := int(uint(low+high) >> 1)
		if a.Less(n.ranges[middle].first) {
			high = middle
			continue
		}
		low = middle + 1
	}
	return low > 0 && holds(n.ranges[low-1], a)
}

// holds reports whether a range that does not begin behind a holds it. Compare puts all of IPv4 before IPv6, so that the range may be of the other
// family; then its end is before a as well. A zone counts as behind the address without one.
func holds(s span, a netip.Addr) bool {
	return !s.last.Less(a.WithZone(""))
}
