package route

import (
	"bytes"
	"net/netip"

	"pingap/message"
)

// maxForwarded is the number of X-Forwarded-For entries looked at, from the right. More trusted
// proxies in a row than that do not exist; the last one looked at then counts as the client.
const maxForwarded = 32

// forwarded looks through trusted proxies, from the entry that the peer added to the left. It ends
// at the first address that is not trusted, or before an entry that is no address: nobody trusted
// vouches for what is further left.
func (t *Trusted) forwarded(rec *message.Record) {
	list := rec.Request.Fields.List()
	seen := 0
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].ID != message.XForwardedFor {
			continue
		}
		rest := list[i].Value
		for len(bytes.TrimSpace(rest)) > 0 {
			entry := rest
			if comma := bytes.LastIndexByte(rest, ','); comma >= 0 {
				entry, rest = rest[comma+1:], rest[:comma]
			} else {
				rest = nil
			}
			if seen++; seen > maxForwarded || !t.step(rec, entry) {
				return
			}
		}
	}
	if seen > 0 {
		return
	}
	if value := rec.Request.Fields.Get(message.XRealIP); len(value) > 0 {
		t.step(rec, value)
	}
}

// step takes an entry as the client's address, and reports whether to look further left.
func (t *Trusted) step(rec *message.Record, entry []byte) bool {
	addr, text := parseEntry(bytes.TrimSpace(entry))
	if !addr.IsValid() {
		return false
	}
	rec.ClientIP, rec.ClientIPText = addr, text
	return t.Contains(addr)
}

// parseEntry reads an address with or without a port and brackets, and returns it with its text: a
// view into entry where that is spelled canonically.
func parseEntry(entry []byte) (netip.Addr, []byte) {
	text := addressPart(entry)
	addr, ok := parseIPv4(text)
	if !ok {
		var err error
		if addr, err = netip.ParseAddr(string(text)); err != nil || addr.Zone() != "" {
			return netip.Addr{}, nil
		}
		addr = addr.Unmap()
	}
	var space [64]byte
	if canonical := addr.AppendTo(space[:0]); !bytes.Equal(canonical, text) {
		text = bytes.Clone(canonical)
	}
	return addr, text
}

// addressPart cuts brackets and port: "1.2.3.4:80", "[::1]:80", "[::1]".
func addressPart(entry []byte) []byte {
	if len(entry) > 0 && entry[0] == '[' {
		if end := bytes.IndexByte(entry, ']'); end > 0 {
			return entry[1:end]
		}
		return nil
	}
	if colon := bytes.IndexByte(entry, ':'); colon >= 0 && bytes.LastIndexByte(entry, ':') == colon {
		return entry[:colon]
	}
	return entry
}

// parseIPv4 reads dotted decimal without allocating.
func parseIPv4(text []byte) (netip.Addr, bool) {
	var quad [4]byte
	part, digits, value := 0, 0, 0
	for i := 0; i <= len(text); i++ {
		if i == len(text) || text[i] == '.' {
			if digits == 0 || part > 3 {
				return netip.Addr{}, false
			}
			quad[part] = byte(value)
			part, digits, value = part+1, 0, 0
			continue
		}
		c := text[i]
		if c < '0' || c > '9' || digits > 0 && value == 0 {
			return netip.Addr{}, false
		}
		value, digits = value*10+int(c-'0'), digits+1
		if value > 255 {
			return netip.Addr{}, false
		}
	}
	return netip.AddrFrom4(quad), part == 4
}
