package auth

import (
	"net/netip"
	"sync"
	"time"
)

const (
	lockTime   = 5 * time.Minute // of an address that failed too often, and how long failures count
	maxFailing = 512             // addresses that are remembered
)

// lockout counts the failures of addresses.
type lockout struct {
	mu    sync.Mutex // guards all
	fails map[string]*failing
}

type failing struct {
	count int
	since time.Time // of the first
	until time.Time // locked out; zero for not
}

// left is how long an address is locked out still; 0 for not.
func (l *lockout) left(addr string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.fails[network(addr)]
	if f == nil {
		return 0
	}
	return max(f.until.Sub(now), 0)
}

// failed counts a failure, and says how many there are, and whether with it the address is locked out.
func (l *lockout) failed(addr string, limit int, now time.Time) (count int, locked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := network(addr)
	f := l.fails[key]
	if f == nil || f.over(now) {
		delete(l.fails, key)
		l.makeRoomLocked(now)
		f = &failing{since: now}
		l.fails[key] = f
	}
	f.count++
	if f.count == limit {
		f.until = now.Add(lockTime)
		return f.count, true
	}
	return f.count, false
}

func (f *failing) over(now time.Time) bool {
	if f.until.IsZero() {
		return now.Sub(f.since) >= lockTime
	}
	return !now.Before(f.until)
}

// makeRoomLocked forgets what is over; if that is nothing, the address that failed least, the oldest of equals: one that is locked out is
// the last to go.
func (l *lockout) makeRoomLocked(now time.Time) {
	if len(l.fails) < maxFailing {
		return
	}
	least := ""
	for key, f := range l.fails {
		if f.over(now) {
			delete(l.fails, key)
			continue
		}
		if o := l.fails[least]; o == nil || f.count < o.count || f.count == o.count && f.since.Before(o.since) {
			least = key
		}
	}
	if len(l.fails) >= maxFailing {
		delete(l.fails, least)
	}
}

// network is what counts as one address: who has one of IPv6 has 2^64 of them.
func network(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return addr
	}
	return p.String()
}
