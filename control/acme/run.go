package acme

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Run works until ctx ends. It is called once. While another process works with the folder, it waits: an old and a new
// control process may overlap.
func (m *Manager) Run(ctx context.Context) error {
	unlock, first, err := m.store.Lock(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	defer unlock()
	if !first {
		m.reread()
	}
	if m.opt.Shared != nil {
		var sharing sync.WaitGroup
		defer sharing.Wait()
		sharing.Go(func() { m.opt.Shared.Run(ctx, m) }) // until ctx ends
	}
	minders := map[string]*minder{}
	daily := time.NewTicker(day)
	defer daily.Stop()
	for {
		select {
		case <-daily.C:
			m.sweep()
			m.sweepShared(ctx)
		case <-ctx.Done():
			for _, r := range minders {
				<-r.done // each ends with ctx
			}
			return nil
		case <-m.changed:
			m.reconcile(ctx, minders)
		}
	}
}

// reread reads again what the process that had the folder before has written meanwhile.
func (m *Manager) reread() {
	if _, err := m.ledger.read(); err != nil {
		m.opt.Log.Error("what was spent of the limits of CAs could not be read", zap.Error(err))
	}
	m.mu.Lock()
	jobs := maps.Clone(m.jobs)
	m.mu.Unlock()
	for id, j := range jobs {
		m.load(id, j)
	}
}

// minder is the goroutine of a job.
type minder struct {
	job    *job
	cancel context.CancelFunc
	done   chan struct{}
}

// reconcile ends the goroutines of jobs that are gone, and starts those of new ones.
func (m *Manager) reconcile(ctx context.Context, minders map[string]*minder) {
	m.mu.Lock()
	jobs := maps.Clone(m.jobs)
	m.mu.Unlock()

	for id, r := range minders {
		if jobs[id] == r.job {
			continue
		}
		r.cancel()
		<-r.done
		delete(minders, id)
	}
	m.takeBack(ctx)
	m.announceAll(ctx, jobs)
	for id, j := range jobs {
		if minders[id] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		r := &minder{job: j, cancel: cancel, done: make(chan struct{})}
		minders[id] = r
		go func() { // until ctx ends; Run and reconcile wait for it
			defer close(r.done)
			defer cancel()
			m.mind(ctx, j)
		}()
	}
	m.ledger.keepRecords(func(id string) bool { return jobs[id] != nil })
}

// batch is how many certificates are published at once.
const batch = 50

// announceAll publishes what was stored together: at a start there may be a thousand certificates. If it fails, each job
// goes on trying for itself.
func (m *Manager) announceAll(ctx context.Context, jobs map[string]*job) {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	var items []Item
	var whose []*job
	publish := func() error {
		err := m.opt.Publisher.Publish(ctx, items...)
		if err != nil {
			m.unpublish(whose)
		}
		items, whose = nil, nil
		return err
	}
	for _, j := range jobs {
		more := m.claim(j)
		if len(more) == 0 {
			continue
		}
		items, whose = append(items, more...), append(whose, j)
		if len(items) >= batch && publish() != nil {
			return
		}
	}
	if len(items) > 0 {
		_ = publish() // the jobs say why, when it fails again
	}
}

// takeBack withdraws the certificates that nobody wants any more.
func (m *Manager) takeBack(ctx context.Context) {
	m.mu.Lock()
	gone := m.gone
	m.gone = nil
	for _, j := range m.jobs {
		gone = slices.DeleteFunc(gone, func(i Item) bool { return slices.Contains(j.names, i.Name) }) // wanted again
	}
	m.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	if err := m.opt.Publisher.Withdraw(ctx, gone...); err != nil {
		m.opt.Log.Warn("certificates could not be withdrawn", zap.Stringers("items", gone), zap.Error(err))
	}
}

// keepStored is how long after its end a certificate that nobody wants stays on disk.
const keepStored = 30 * day

// sweep removes what was stored and is of no use any more.
func (m *Manager) sweep() {
	files, err := m.store.Names("certificates")
	if err != nil {
		m.opt.Log.Warn("stored certificates could not be listed", zap.Error(err))
		return
	}
	m.mu.Lock()
	jobs := maps.Clone(m.jobs)
	m.mu.Unlock()
	for _, file := range files {
		var b bundle
		id := strings.TrimSuffix(path.Base(file), ".json")
		if jobs[id] != nil || m.store.Read(file, &b) != nil || b.verify(b.Domains) != nil {
			continue // what is damaged is for people to look at
		}
		if m.opt.Now().Sub(b.leaf.NotAfter) > keepStored {
			_ = m.store.Remove(file) // the next sweep tries again
		}
	}
}
