package endpoints

import (
	"pingap/control/health"
	"pingap/ipc"
)

// Checked takes a result of the checker.
func (d *Directory) Checked(r health.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pools[r.Upstream]
	if p == nil || p.backends[r.Key] == nil || p.backends[r.Key].uses == 0 {
		return
	}
	b := p.backends[r.Key]
	fresh := !b.known
	b.known = true
	d.turnLocked(p, b, r)
	if fresh {
		for _, f := range p.forms {
			f.judgeLocked()
		}
	}
}

// turnLocked makes a result the health of a backend.
func (d *Directory) turnLocked(p *pool, b *backend, r health.Result) {
	next := ipc.Unhealthy
	if r.Healthy {
		next = ipc.Healthy
	}
	before := b.health
	b.reason = clip(r.Reason)
	if b.checked.IsZero() || next != before {
		b.checked = r.At
	}
	if next == before {
		return
	}
	b.health = next
	if next == ipc.Healthy && !(b.first && before == ipc.Unchecked) {
		b.since = d.opt.Now() // it begins slowly, unless all begin together
	}
	d.spreadLocked(p, b) // the checker has logged it
	if before != ipc.Unchecked || next == ipc.Unhealthy {
		d.opt.Turned(p.name, b.text, next == ipc.Healthy)
	}
	d.upDownLocked(p)
}

// spreadLocked has all lists told that have a backend.
func (d *Directory) spreadLocked(p *pool, b *backend) {
	for _, f := range p.forms {
		for _, e := range f.list {
			if e.backend == b && !f.held {
				d.markLocked(f.item())
				break
			}
		}
	}
}

func healthText(h ipc.Health) string {
	if h == ipc.Healthy {
		return "healthy"
	}
	return string(h)
}

func AdminText(a ipc.Admin) string {
	if a == ipc.AdminUp {
		return "up"
	}
	return string(a)
}

func clip(text string) string {
	if len(text) > ipc.MaxEndpointReason {
		return text[:ipc.MaxEndpointReason-3] + "..."
	}
	return text
}
