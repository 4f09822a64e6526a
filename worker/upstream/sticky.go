package upstream

import (
	"crypto/sha256"
	"encoding/binary"
)

// stickySize is the length of the cookie's value: 64 bits in hex, which tell nobody the address.
const stickySize = 16

// stickyOf is what the cookie names a backend by.
func stickyOf(upstream, addr string) uint64 {
	sum := sha256.Sum256([]byte(upstream + "\x00" + addr))
	return binary.BigEndian.Uint64(sum[:])
}

// Sticky is the name of the cookie by which clients stick to backends; empty for none.
func (u *Upstream) Sticky() string { return u.sticky }

// AppendSticky appends the cookie's value for this backend.
func (b *Backend) AppendSticky(dst []byte) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[b.id>>shift&15])
	}
	return dst
}

// parseSticky reads a cookie's value.
func parseSticky(text []byte) (uint64, bool) {
	if len(text) != stickySize {
		return 0, false
	}
	id := uint64(0)
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		id = id<<4 | uint64(c)
	}
	return id, true
}

// stuck returns the backend that the client sticks to, if that may serve it: one that drains still may, a backup only while it would
// be chosen anyway.
func (c *choice) stuck() *Backend {
	value, ok := c.rec.Request.Fields.CookieValue(c.u.sticky)
	if !ok {
		return nil
	}
	id, ok := parseSticky(value)
	if !ok {
		return nil
	}
	at := 0
	for i := range c.set.entries { // all of them, always: how long it takes tells nothing
		diff := c.set.entries[i].backend.id ^ id
		same := int((diff|-diff)>>63) - 1 // -1 where equal, else 0
		at |= same & (i + 1)
	}
	if at == 0 || at > len(c.set.entries) {
		return nil
	}
	e := &c.set.entries[at-1]
	if e.health != Healthy || e.admin == Down || contains(c.tried, e.backend) || e.backup && c.anyOf(c.set.tiers[0].entries) {
		return nil
	}
	if !c.take(e.backend) {
		return nil
	}
	return e.backend
}
