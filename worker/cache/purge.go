package cache

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
)

// Purge says what is to be forgotten: what fits all that is given.
type Purge struct {
	Namespace string
	Host      string   // lower case, without the default port; empty for all
	Target    string   // begin of path and query; empty for all
	Exact     bool     // Target is the whole
	Parts     string   // with Exact: what AppendPart appended to the key
	Tags      []string // any of them; empty for all
	Store     string   // of a message: which store is meant
}

// maxMessage bounds a purge in a message, in bytes.
const maxMessage = 64 << 10

// Message returns a purge as workers tell it to each other.
func (p *Purge) Message() ([]byte, error) {
	b, err := json.Marshal(p)
	if err == nil && len(b) > maxMessage {
		return nil, errors.New("a purge is too long for a message")
	}
	return b, err
}

// ReadPurge reads what Message wrote.
func ReadPurge(message []byte) (*Purge, error) {
	p := &Purge{}
	if len(message) > maxMessage {
		return nil, errors.New("a purge is too long for a message")
	}
	return p, json.Unmarshal(message, p)
}

func (p *Purge) matches(h *Head) bool {
	at := PlaceOf([]byte(h.Key))
	switch {
	case at.Namespace != p.Namespace, p.Host != "" && at.Host != p.Host:
		return false
	case p.Exact && at.Target != p.Target, !strings.HasPrefix(at.Target, p.Target):
		return false
	}
	return len(p.Tags) == 0 || !h.mark() && h.HasTag(p.Tags)
}

// Purge forgets what matches, and what of it is on its way. One address is both that of http and that of https. It returns how many responses it forgot, and could not.
func (c *Cache) Purge(p *Purge) (removed, failed int) {
	c.Doom(p)
	if !p.Exact || len(p.Tags) > 0 {
		return c.store.purge(p.matches)
	}
	for _, secure := range [...]bool{false, true} {
		text := AppendKey(nil, p.Namespace, Request{Secure: secure, Host: []byte(p.Host), Target: []byte(p.Target)})
		if c.store.remove(c.KeyOf(append(text, p.Parts...))) {
			removed++
		}
	}
	return removed, 0
}

// Doom has what was asked for before now not be stored, if it matches.
func (c *Cache) Doom(p *Purge) { c.rules.add(rule{since: time.Now(), purge: p}) }

// Shared reports whether all workers have the same store: then one of them removes for all.
func (c *Cache) Shared() bool { return c.files != nil }

// rules are the last purges. What was asked for before one of them must not be stored after it.
type rules struct {
	mu   sync.Mutex
	ring [256]rule
	next int
}

type rule struct {
	since time.Time
	purge *Purge
}

func (r *rules) add(one rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = one
	r.next = (r.next + 1) % len(r.ring)
}

// forbid reports whether a response that was asked for then has been purged since, or may have been.
func (r *rules) forbid(h *Head, asked time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if oldest := r.ring[r.next]; oldest.since.After(asked) {
		return true // more rules than are remembered
	}
	for i := range r.ring {
		one := &r.ring[i]
		if one.since.Before(asked) {
			continue
		}
		if one.purge.matches(h) {
			return true
		}
	}
	return false
}
