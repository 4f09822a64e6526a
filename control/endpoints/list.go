package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pingap/ipc"
)

// List is a document: the upstreams of the live configuration by name, with their backends as they are now.
type List struct {
	Upstreams []Upstream `json:"upstreams"`
}

// Upstream is one of them.
type Upstream struct {
	Name     string    `json:"name"`
	Problems []string  `json:"problems"` // why not all backends may be known
	Backends []Backend `json:"backends"` // by address
}

// Backend is an address, and how it is.
type Backend struct {
	Address string    `json:"address"`
	Weight  int       `json:"weight"`
	Backup  bool      `json:"backup"`
	From    string    `json:"from"`             // the entry of addrs it came from
	Health  string    `json:"health"`           // healthy, unhealthy or unchecked
	Reason  string    `json:"reason"`           // of its health; empty where no check has said anything
	Checked time.Time `json:"checked,omitzero"` // since when; zero likewise
	Admin   string    `json:"admin"`            // up, drain or down
	By      string    `json:"by,omitempty"`     // who wanted that
	At      time.Time `json:"at,omitzero"`      // and when
	Absent  time.Time `json:"absent,omitzero"`  // it is in no list since then, and only what is wanted of it is known
	State
}

// List lists the live upstreams, or the one of this name.
func (d *Directory) List(name string) (List, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := List{Upstreams: []Upstream{}}
	if name != "" && (d.pools[name] == nil || !d.pools[name].isLive()) {
		return list, fmt.Errorf("there is no upstream %q; there are: %s", clip(name), d.namesLocked())
	}
	for _, p := range d.pools {
		if p.isLive() && (name == "" || name == p.name) {
			list.Upstreams = append(list.Upstreams, d.describeLocked(p))
		}
	}
	slices.SortFunc(list.Upstreams, func(a, b Upstream) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (d *Directory) describeLocked(p *pool) Upstream {
	u := Upstream{Name: p.name, Problems: []string{}, Backends: []Backend{}}
	for _, f := range p.forms {
		if f.live == nil {
			continue
		}
		u.Problems = append(u.Problems, f.problems...)
		for _, e := range f.list {
			b := Backend{Address: e.text, Weight: e.weight, Backup: e.spare, From: e.from, Health: healthText(e.health), Reason: e.reason, Checked: e.checked}
			b.wanted(p.wishes[e.text])
			b.State = d.readLocked(e.record, f.live)
			u.Backends = append(u.Backends, b)
		}
	}
	for text, w := range p.wishes {
		if !w.Absent.IsZero() {
			b := Backend{Address: text, Health: "absent", State: State{InFlight: -1}}
			b.wanted(w)
			u.Backends = append(u.Backends, b)
		}
	}
	slices.SortFunc(u.Backends, func(a, b Backend) int { return cmp.Compare(a.Address, b.Address) })
	return u
}

func (b *Backend) wanted(w *ipc.Wish) {
	b.Admin = "up"
	if w != nil {
		b.Admin, b.By, b.At, b.Absent = AdminText(w.Admin), w.By, w.At, w.Absent
	}
}

// Notes are for status: upstreams that have nothing healthy, and backends that are out of service.
func (d *Directory) Notes() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var dead, empty, out []string
	for _, p := range d.pools {
		for _, f := range p.forms {
			if f.live == nil || f.held {
				continue
			}
			able := 0
			for _, e := range f.list {
				if e.health == ipc.Healthy {
					able++
				}
				if admin := p.admin(e.text); admin != ipc.AdminUp {
					out = append(out, fmt.Sprintf("%s %s (%s)", p.name, e.text, AdminText(admin)))
				}
			}
			switch {
			case len(f.list) == 0:
				empty = append(empty, p.name)
			case able == 0:
				dead = append(dead, p.name)
			}
		}
	}
	var notes []string
	for _, n := range []struct {
		one, many string
		all       []string
	}{{"upstream has no backends", "upstreams have no backends", empty}, {"upstream has no healthy backend", "upstreams have no healthy backend", dead},
		{"backend is out of service", "backends are out of service", out}} {
		if len(n.all) > 0 {
			what := n.many
			if len(n.all) == 1 {
				what = n.one
			}
			slices.Sort(n.all)
			notes = append(notes, fmt.Sprintf("%d %s: %s", len(n.all), what, strings.Join(named(n.all), ", ")))
		}
	}
	return notes
}
