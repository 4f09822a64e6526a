package endpoints

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"pingap/ipc"
)

// maxWishes bounds what is wanted of the backends of one upstream.
const maxWishes = 2 * ipc.MaxEndpoints

// Change is what became of a wish.
type Change struct {
	Address string
	Before  ipc.Admin
	Absent  bool // the backend is in no list now
}

// SetAdmin takes a backend out of service, or back in. It is done when it returns without an error; await is for workers to know.
func (d *Directory) SetAdmin(upstream, address string, admin ipc.Admin, by string) (Change, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pools[upstream]
	if p == nil || !p.isLive() {
		return Change{}, fmt.Errorf("there is no upstream %q; there are: %s", clip(upstream), d.namesLocked())
	}
	b, w, text := p.look(address)
	if b == nil && w == nil {
		return Change{}, fmt.Errorf("upstream %s has no backend %q; it has: %s", p.name, clip(address), p.addresses())
	}
	c := Change{Address: text, Before: p.admin(text), Absent: b == nil}
	switch {
	case admin == c.Before && (w != nil || admin == ipc.AdminUp):
		return c, nil
	case admin == ipc.AdminUp:
		delete(p.wishes, text)
	case w == nil && len(p.wishes) >= maxWishes:
		return Change{}, fmt.Errorf("upstream %s has %d backends already that are taken out of service", p.name, len(p.wishes))
	default:
		p.wish(text, b, admin, by, d)
	}
	d.opt.Log.Info("backend", zap.String("upstream", p.name), zap.String("address", text), zap.String("admin", AdminText(admin)),
		zap.String("before", AdminText(c.Before)), zap.String("by", by))
	d.markLocked(p.wishItem())
	if b != nil {
		if admin == ipc.AdminUp {
			b.since = d.opt.Now()
		}
		d.spreadLocked(p, b)
	}
	return c, nil
}

// Await returns when all workers that accept know of every change so far.
func (d *Directory) Await(ctx context.Context) error { return d.await(ctx) }

// wish enters what is wanted of a backend; b is nil for one that is in no list, of which something is wanted already.
func (p *pool) wish(text string, b *backend, admin ipc.Admin, by string, d *Directory) {
	w := p.wishes[text]
	if w == nil {
		w = &ipc.Wish{Address: b.address.String()}
		if b.address.Network == "unix" {
			w.Network = b.address.Network
		}
		p.wishes[text] = w
	}
	w.Admin, w.By, w.At = admin, by, d.opt.Now()
}

// look finds a backend that some form lists, or what is wanted of one that none does.
func (p *pool) look(address string) (*backend, *ipc.Wish, string) {
	text := strings.TrimSpace(address)
	if strings.HasPrefix(text, "/") {
		text = "unix:" + text
	}
	b := p.backends[text]
	if b != nil && b.uses == 0 {
		b = nil
	}
	return b, p.wishes[text], text
}

// admin is what is wanted of an address.
func (p *pool) admin(text string) ipc.Admin {
	if w := p.wishes[text]; w != nil {
		return w.Admin
	}
	return ipc.AdminUp
}

// addresses names the backends of a pool for an error.
func (p *pool) addresses() string {
	var all []string
	for text, b := range p.backends {
		if b.uses > 0 {
			all = append(all, text)
		}
	}
	for text, w := range p.wishes {
		if !w.Absent.IsZero() {
			all = append(all, text)
		}
	}
	return enumerate(all)
}

// namesLocked names the live upstreams for an error.
func (d *Directory) namesLocked() string {
	return enumerate(slices.DeleteFunc(slices.Collect(maps.Keys(d.pools)), func(name string) bool { return !d.pools[name].isLive() }))
}

func enumerate(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	return strings.Join(named(all), ", ")
}
