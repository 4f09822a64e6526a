package endpoints

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/ipc"
)

// item names something that is told, as others know it.
type item struct{ kind, key string }

func (f *form) item() item { return item{ipc.StateEndpoints, f.pool.name + "@" + f.source} }

func (p *pool) wishItem() item { return item{ipc.StateWishes, p.name} }

// stateLocked makes what is told of an item as things are now: that it is gone where it is not there any more.
func (d *Directory) stateLocked(i item) (ipc.StateItem, error) {
	s := ipc.StateItem{Kind: i.kind, Key: i.key, Private: i.kind == ipc.StateWishes}
	var body any
	switch i.kind {
	case ipc.StateWishes:
		if p := d.pools[i.key]; p != nil && len(p.wishes) > 0 {
			body = p.stateOfWishes()
		}
	case ipc.StateEndpoints:
		name, source := cutLast(i.key)
		if p := d.pools[name]; p != nil && p.forms[source] != nil {
			body = d.endpointsLocked(p.forms[source])
		}
	}
	if body == nil {
		s.Gone = true
		return s, nil
	}
	var err error
	s.Body, err = json.Marshal(body)
	return s, err
}

func (p *pool) stateOfWishes() ipc.Wishes {
	var all ipc.Wishes
	for _, w := range p.wishes {
		all.List = append(all.List, *w)
	}
	slices.SortFunc(all.List, func(a, b ipc.Wish) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Address, b.Address))
	})
	return all
}

func (d *Directory) endpointsLocked(f *form) ipc.Endpoints {
	p := f.pool
	d.rows.ensure(&p.record)
	all := ipc.Endpoints{Upstream: p.name, Source: f.source, Record: p.record, List: make([]ipc.Endpoint, 0, len(f.list))}
	for _, e := range f.list {
		d.rows.ensure(&e.backend.record)
		one := ipc.Endpoint{Address: e.address.String(), Weight: e.weight, Backup: e.spare, Health: e.health, Admin: p.admin(e.text), Since: e.since,
			Record: e.record, Reason: e.reason, Checked: e.checked}
		if e.from != e.text { // most are addresses: that would be a fifth of what is kept
			one.From = e.from
		}
		if e.address.Network == "unix" {
			one.Network = "unix"
		}
		all.List = append(all.List, one)
	}
	return all
}

// Resume takes what was told before a crash of this process, or of the supervisor. It is called before anything else.
func (d *Directory) Resume(items []ipc.StateItem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range items {
		name, source := cutLast(i.Key)
		switch i.Kind {
		case ipc.StateWishes:
			var w ipc.Wishes
			if json.Unmarshal(i.Body, &w) == nil {
				d.resumeWishesLocked(d.poolLocked(i.Key), w.List)
			}
		case ipc.StateEndpoints:
			var e ipc.Endpoints
			if err := json.Unmarshal(i.Body, &e); err != nil || e.Upstream != name || e.Source != source || name == "" {
				d.opt.Log.Error("what was known of backends cannot be read", zap.String("item", i.Key))
				d.markLocked(item{i.Kind, i.Key}) // it is withdrawn
				continue
			}
			d.resumeFormLocked(d.formLocked(d.poolLocked(name), source), &e)
		}
	}
	d.rows.resumed()
}

func (d *Directory) resumeWishesLocked(p *pool, list []ipc.Wish) {
	for _, w := range list {
		p.wishes[Text(addressOf(w.Network, w.Address))] = &w
	}
}

func (d *Directory) resumeFormLocked(f *form, e *ipc.Endpoints) {
	p := f.pool
	p.settled, f.resumed, f.listed = true, true, true
	if p.record == (ipc.RecordRef{}) {
		p.record = d.rows.resume(e.Record)
	}
	for _, one := range e.List[:min(len(e.List), ipc.MaxEndpoints)] {
		makeSane(&one)
		address := addressOf(one.Network, one.Address)
		b := p.backends[Text(address)]
		if b == nil {
			b = &backend{address: address, text: Text(address), health: one.Health, reason: one.Reason, checked: one.Checked, known: !one.Checked.IsZero(),
				since: one.Since, record: d.rows.resume(one.Record)}
			p.backends[b.text] = b
		}
		b.uses++
		f.list = append(f.list, entry{backend: b, weight: one.Weight, spare: one.Backup, from: cmp.Or(one.From, b.text)})
		if one.Admin != ipc.AdminUp && p.wishes[b.text] == nil { // its own item was lost, as workers do not know it
			p.wishes[b.text] = &ipc.Wish{Network: one.Network, Address: one.Address, Admin: one.Admin, At: d.opt.Now()}
			d.markLocked(p.wishItem())
		}
	}
}

// makeSane drops what this process would never tell: a worker may have brought the item back.
func makeSane(e *ipc.Endpoint) {
	switch e.Health {
	case ipc.Healthy, ipc.Unhealthy, ipc.Unchecked:
	default:
		e.Health, e.Checked = ipc.Healthy, time.Time{}
	}
	switch e.Admin {
	case ipc.AdminUp, ipc.AdminDrain, ipc.AdminDown:
	default:
		e.Admin = ipc.AdminUp
	}
	e.Reason = clip(e.Reason)
}

// cutLast divides a key at its last @: a name may hold one, a source does not.
func cutLast(key string) (name, source string) {
	n := strings.LastIndexByte(key, '@')
	if n < 0 {
		return key, ""
	}
	return key[:n], key[n+1:]
}

func addressOf(network, text string) config.Address {
	if network == "unix" {
		return config.Address{Network: "unix", Path: text}
	}
	b, err := config.ParseBackend(text, 0)
	if err != nil {
		return config.Address{Network: "tcp", Host: text}
	}
	return b.Address
}
