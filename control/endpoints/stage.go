package endpoints

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pingap/config"
)

// tellTime bounds how long a proposal waits for workers to be told; the supervisor's own bound is shorter.
const tellTime = 10 * time.Second

// Stage prepares for a configuration that is about to be proposed: backends of upstreams that are new are found and checked once, and told
// to all workers, before it returns. What was staged before is forgotten. After an error the configuration can be proposed all the same.
func (d *Directory) Stage(ctx context.Context, s *config.Snapshot) error {
	d.mu.Lock()
	fresh, err := d.stageLocked(s)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	late := time.NewTimer(StageTime)
	defer late.Stop()
	for _, f := range fresh {
		select {
		case <-f.ready:
			continue
		case <-late.C:
		case <-ctx.Done():
		}
		break
	}
	d.mu.Lock()
	for _, f := range fresh {
		if f.held = false; f.pool.forms[f.source] == f {
			d.markLocked(f.item())
		}
	}
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	return d.await(ctx)
}

// stageLocked makes forms of what is new, and returns those that are. Only upstreams with another hash than the live ones are decoded.
func (d *Directory) stageLocked(s *config.Snapshot) ([]*form, error) {
	before := d.clearLocked()
	defer func() { d.dropAllLocked(before) }() // what is not staged again
	next := map[string]config.Sha{}
	var fresh []*form
	var failed []error
	for _, o := range s.Objects() {
		if o.Kind != config.KindUpstream {
			continue
		}
		next[o.Name] = o.Sha
		if d.live[o.Name] == o.Sha {
			continue
		}
		u, err := s.Upstream(o.Name)
		if err != nil { // of another build; what is known stays
			failed = append(failed, err)
			next[o.Name] = d.live[o.Name]
			continue
		}
		if u.Discovery == "transparent" { // each request says where it goes
			continue
		}
		p := d.poolLocked(u.Name)
		f := d.formLocked(p, u.Source())
		if f.live == nil && len(f.list) == 0 {
			f.held = true
			fresh = append(fresh, f)
		}
		f.staged = u
		d.touchLocked(p)
	}
	d.next = next
	if err := errors.Join(failed...); err != nil {
		return fresh, fmt.Errorf("backends: %w", err)
	}
	return fresh, nil
}

// Applied makes what was staged the live configuration, and withdraws what it does not have.
func (d *Directory) Applied() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next == nil {
		return
	}
	for name, p := range d.pools {
		same := d.live[name] == d.next[name] && d.hasLocked(name)
		d.applyLocked(p, same)
		if !same { // it may lead to a listener of ours, which accepts from now on
			d.opt.Checker.Again(name)
		}
	}
	d.live, d.next = d.next, nil
}

// hasLocked says whether the staged configuration has an upstream.
func (d *Directory) hasLocked(name string) bool {
	_, ok := d.next[name]
	return ok
}

// applyLocked brings the forms of a pool to what was staged.
func (d *Directory) applyLocked(p *pool, same bool) {
	if same && d.hasLocked(p.name) && !p.isStaged() && p.isLive() {
		return
	}
	for _, f := range p.forms {
		f.live, f.staged = f.staged, nil
		if f.live == nil {
			d.dropLocked(f)
		}
	}
	d.touchLocked(p)
}

func (p *pool) isStaged() bool {
	for _, f := range p.forms {
		if f.staged != nil {
			return true
		}
	}
	return false
}

func (p *pool) isLive() bool {
	for _, f := range p.forms {
		if f.live != nil {
			return true
		}
	}
	return false
}

// Refused forgets what was staged.
func (d *Directory) Refused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = nil
	d.dropAllLocked(d.clearLocked())
}

// clearLocked takes what is staged off all forms, and returns these.
func (d *Directory) clearLocked() []*form {
	var forms []*form
	for _, p := range d.pools {
		for _, f := range p.forms {
			if f.staged != nil {
				f.staged = nil
				forms = append(forms, f)
			}
		}
	}
	return forms
}

// dropAllLocked drops those of the forms that nobody asks for. What was read back stays until something is live: workers of another build
// may serve by it.
func (d *Directory) dropAllLocked(forms []*form) {
	for _, f := range forms {
		if f.live == nil && f.staged == nil && !f.resumed {
			d.dropLocked(f)
		}
	}
}

// Adopt takes a configuration that is live already, after Resume. What workers know is told again only where it changes; what was not read
// back, when it has been found.
func (d *Directory) Adopt(s *config.Snapshot) error {
	d.mu.Lock()
	fresh, err := d.stageLocked(s)
	for _, f := range fresh {
		f.adopted = true
	}
	d.mu.Unlock()
	d.Applied()
	return err
}
