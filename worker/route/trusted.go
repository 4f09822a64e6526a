package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pingap/config"
	"pingap/message"
)

// addrRange is a range of addresses, both ends included.
type addrRange struct{ first, last netip.Addr }

// NewTrusted compiles a list of addresses and CIDR blocks; "unix:" trusts peers on unix sockets.
// An empty list gives nil, which trusts nobody.
func NewTrusted(list []string) (*Trusted, error) {
	if len(list) == 0 {
		return nil, nil
	}
	t := &Trusted{}
	for _, entry := range list {
		entry = strings.TrimSpace(entry)
		if entry == "unix:" {
			t.unix = true
			continue
		}
		network, err := config.ParseNetwork(entry)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy: %w", err)
		}
		t.ranges = append(t.ranges, addrRange{network.Addr(), lastOf(network)})
	}
	t.ranges = mergeRanges(t.ranges)
	return t, nil
}

// Contains reports whether an address is trusted.
func (t *Trusted) Contains(addr netip.Addr) bool {
	if t == nil || !addr.IsValid() {
		return false
	}
	addr = addr.Unmap().WithZone("")
	_, found := slices.BinarySearchFunc(t.ranges, addr, func(r addrRange, a netip.Addr) int {
		switch {
		case r.last.Less(a):
			return -1
		case a.Less(r.first):
			return 1
		}
		return 0
	})
	return found
}

// peer reports whether the TCP peer of the exchange is trusted.
func (t *Trusted) peer(rec *message.Record) bool {
	if !rec.Conn.Remote.IsValid() {
		return t.unix
	}
	return t.Contains(rec.Conn.Remote.Addr())
}

// Holds reports whether the client of an exchange is in the list: its address as ClientIP found it, or a unix socket.
func (t *Trusted) Holds(rec *message.Record) bool {
	if !rec.ClientIP.IsValid() {
		return t.unix && !rec.Conn.Remote.IsValid()
	}
	return t.Contains(rec.ClientIP)
}

// lastOf returns the last address of a block.
func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// mergeRanges sorts and joins overlapping ranges, as the binary search needs them.
func mergeRanges(ranges []addrRange) []addrRange {
	slices.SortFunc(ranges, func(a, b addrRange) int { return a.first.Compare(b.first) })
	merged := ranges[:0]
	for _, r := range ranges {
		if n := len(merged); n > 0 && !merged[n-1].last.Less(r.first) {
			if merged[n-1].last.Less(r.last) {
				merged[n-1].last = r.last
			}
			continue
		}
		merged = append(merged, r)
	}
	return merged
}
