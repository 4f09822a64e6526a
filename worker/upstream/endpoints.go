package upstream

import (
	"time"

	"pingap/arena"
	"pingap/config"
	"pingap/worker/upstream/spread"
)

// maxWeight is the largest weight of a backend.
const maxWeight = 65535

// Health is what health checks say of a backend.
type Health uint8

// The kinds of health. Only the first gets requests.
const (
	Healthy Health = iota
	Unhealthy
	Unchecked
)

// Admin is what an operator wants of a backend: all requests, those of clients that stick to it, none.
type Admin uint8

// What operators want.
const (
	Up Admin = iota
	Drain
	Down
)

// Endpoint is a backend as control sees it.
type Endpoint struct {
	Address config.Address
	Weight  int // 1 to 65535
	Backup  bool
	Health  Health
	Admin   Admin
	// Since is when it came or became healthy, in ns of Unix time; 0 where that is unknown, and no reason for a slow start.
	Since int64
	// Record is what all processes know of it; nil where only this one counts.
	Record *arena.Record
}

// SetEndpoints replaces the list of backends, each address once, and the upstream's own record, which may be nil. A backend that stays keeps
// its connections and counts; one that leaves finishes what is in flight, and its idle connections are closed.
func (u *Upstream) SetEndpoints(list []Endpoint, own *arena.Record) {
	if u.transparent != nil {
		return
	}
	u.mu.Lock()
	u.own.Store(own)
	entries := make([]entry, 0, min(len(list), maxBackends))
	known := make(map[config.Address]*Backend, len(list))
	for i := range list {
		e := &list[i]
		if known[e.Address] != nil || len(entries) == maxBackends {
			continue
		}
		b := u.known[e.Address]
		if b == nil {
			b = newBackend(u, e.Address)
		}
		b.update(e)
		known[e.Address] = b
		entries = append(entries, entry{backend: b, weight: min(max(e.Weight, 1), maxWeight), backup: e.Backup, health: e.Health, admin: e.Admin})
	}
	gone := u.departLocked(known)
	u.set.Store(newSet(entries, u.algo.Kind == spread.Hash, u.Config.FailOpen))
	u.mu.Unlock()
	for _, b := range gone {
		discardAll(u.pool.forget(b))
		b.shared.retire()
	}
	u.changed.signal()
}

// departLocked makes known the backends there are, and returns those that leave.
func (u *Upstream) departLocked(known map[config.Address]*Backend) []*Backend {
	var gone []*Backend
	for address, b := range u.known {
		if known[address] == nil {
			gone = append(gone, b)
			u.leaving = append(u.leaving, b)
		}
	}
	u.known = known
	return gone
}

// update takes what control says of a backend. Who holds u.mu calls it.
func (b *Backend) update(e *Endpoint) {
	if e.Since != b.told {
		b.told = e.Since
		b.since.Store(0)
		if e.Since != 0 { // as long ago as it seems, whatever the two clocks do later
			age := max(time.Now().UnixNano()-e.Since, 0)
			b.since.Store(max(b.owner.hostNow()-age, 1))
		}
	}
	b.setRecord(e.Record)
}
