package endpoints

import (
	"context"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"

	"pingap/ipc"
)

// telling has workers told what is dirty, until ctx ends.
func (d *Directory) telling(ctx context.Context) {
	problem := "" // of the last attempt, so that it is logged once
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.tell:
		}
		pause(ctx, coalesce)
		err := d.tellDirty(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			problem = ""
			d.grow(ctx)
			continue
		case err.Error() != problem:
			problem = err.Error()
			d.opt.Log.Warn("workers were not told of backends, it is tried again", zap.Error(err))
		}
		pause(ctx, tellPause)
	}
}

// tellDirty has workers told everything that is dirty now. After an error it is dirty again.
func (d *Directory) tellDirty(ctx context.Context) error {
	d.mu.Lock()
	items, change := d.takeLocked()
	taken := d.dirty
	d.dirty = map[item]struct{}{}
	d.mu.Unlock()
	var err error
	if len(items) > 0 {
		err = d.opt.Publisher.Publish(ctx, items)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		maps.Copy(d.dirty, taken)
		wake(d.tell)
		return err
	}
	d.toldLocked(change)
	return nil
}

// takeLocked makes items of what is dirty, and says up to which change they are.
func (d *Directory) takeLocked() ([]ipc.StateItem, uint64) {
	var items []ipc.StateItem
	for i := range d.dirty {
		s, err := d.stateLocked(i)
		if err != nil { // numbers and strings
			d.opt.Log.Error("backends cannot be told", zap.String("item", i.key), zap.Error(err))
			continue
		}
		items = append(items, s)
	}
	return items, d.changed
}

// toldLocked wakes who waits for that.
func (d *Directory) toldLocked(change uint64) {
	d.told = max(d.told, change)
	kept := d.waiting[:0]
	for _, w := range d.waiting {
		if w.change <= d.told {
			close(w.done)
			continue
		}
		kept = append(kept, w)
	}
	clear(d.waiting[len(kept):])
	d.waiting = kept
}

// await waits until all changes so far have been told.
func (d *Directory) await(ctx context.Context) error {
	d.mu.Lock()
	if d.told >= d.changed {
		d.mu.Unlock()
		return nil
	}
	w := waiter{d.changed, make(chan struct{})}
	d.waiting = append(d.waiting, w)
	d.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not all workers know of it yet: %w", ctx.Err())
	}
}

// grow has the arena made larger before its records are used up, and gives records to those that got none.
func (d *Directory) grow(ctx context.Context) {
	d.mu.Lock()
	n, now := d.rows.wanted(), d.opt.Now()
	if n > 0 && now.Before(d.rows.later) {
		n = 0
	}
	d.mu.Unlock()
	if n == 0 {
		return
	}
	err := d.opt.Publisher.Grow(ctx, n)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.rows.later = now.Add(growPause)
		d.opt.Log.Warn("there are no more records for backends: what workers know of some they do not share", zap.Error(err))
		return
	}
	d.rows.extend()
	if !d.rows.short {
		return
	}
	d.rows.short = false
	for _, p := range d.pools {
		for _, f := range p.forms {
			if !f.held && p.lacksRecord(f) {
				d.markLocked(f.item())
			}
		}
	}
}

func (p *pool) lacksRecord(f *form) bool {
	if p.record.ID == 0 {
		return true
	}
	for _, e := range f.list {
		if e.record.ID == 0 {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
