package acme

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"pingap/control/acme/internal/budget"
)

const (
	// longestSleep bounds a wait, because clocks are set and machines sleep.
	longestSleep = time.Hour
	// publishTime bounds one publication, publishAgain is the time between two tries.
	publishTime  = time.Minute
	publishAgain = 10 * time.Second
	// maxError bounds what is kept and shown of an error: a CA may say a lot.
	maxError = 1000
	// source is what Status calls all of ours.
	source = "acme"
)

// job is a certificate that is wanted. Its fields are guarded by Manager.mu.
type job struct {
	wanted    Wanted
	names     []string // in the configuration
	bundle    *bundle  // nil before the first
	unsaved   bool     // bundle is not on disk yet
	published bool     // the workers have it
	read      bool     // the stored file was looked at
	busy      bool     // an attempt is under way
	slot      bool     // which holds one of Manager.slots
	lastError string
	next      time.Time // of the next attempt
	needs     []Record

	jitter float64       // of the renewal; never changes
	kick   chan struct{} // wakes the goroutine; capacity 1
}

func newJob() *job { return &job{jitter: rand.Float64(), kick: make(chan struct{}, 1)} }

func (j *job) poke() {
	select {
	case j.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// itemsLocked are the certificate under each of its names.
func (j *job) itemsLocked() []Item {
	var items []Item
	for _, n := range j.names {
		items = append(items, j.bundle.item(n))
	}
	return items
}

// Status is what is known of a certificate.
type Status struct {
	Name        string
	Domains     []string
	Source      string    // acme
	NotAfter    time.Time // zero: there is none yet
	LastError   string
	NextAttempt time.Time // zero: never, or under way
	Busy        bool      // an attempt is under way
	Needs       []Record  // TXT records that somebody has to set for it
}

// List says how each wanted certificate is, in the order of their names.
func (m *Manager) List() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.refused)
	for _, j := range m.jobs {
		for _, name := range j.names {
			s := Status{
				Name: name, Domains: slices.Clone(j.wanted.Domains), Source: source,
				LastError: j.lastError, NextAttempt: j.next, Busy: j.busy, Needs: slices.Clone(j.needs),
			}
			if j.bundle != nil {
				s.NotAfter = j.bundle.leaf.NotAfter
			}
			if j.busy {
				s.NextAttempt = time.Time{}
			}
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (m *Manager) setNeeds(j *job, needs []Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j.needs = needs
}

// mind keeps one certificate: published, and renewed when it is due.
func (m *Manager) mind(ctx context.Context, j *job) {
	for ctx.Err() == nil {
		settled := m.announce(ctx, j)
		due := m.due(j)
		wait := min(due.Sub(m.opt.Now()), longestSleep)
		if !settled {
			wait = min(wait, publishAgain)
		}
		if wait <= 0 && !m.mayAsk() {
			wait = longestSleep // or until this node leads, or another has renewed it
			if !settled {
				wait = publishAgain
			}
		}
		if wait > 0 {
			m.rest(ctx, j, wait)
			continue
		}
		if m.takeSlot(ctx, j) {
			term, end := m.during(ctx)
			m.try(term, j)
			end()
			m.giveSlot(j)
		}
	}
}

// rest waits for a time, a poke or the end.
func (m *Manager) rest(ctx context.Context, j *job, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-j.kick:
	case <-t.C:
	}
}

// takeSlot marks the job busy. One that waits for somebody needs no slot.
func (m *Manager) takeSlot(ctx context.Context, j *job) bool {
	m.mu.Lock()
	manual := isManual(j.wanted)
	m.mu.Unlock()
	if !manual {
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j.busy, j.slot = true, !manual
	return true
}

func (m *Manager) giveSlot(j *job) {
	m.mu.Lock()
	j.busy = false
	slot := j.slot
	m.mu.Unlock()
	if slot {
		<-m.slots
	}
}

// claim returns the certificate under all its names if it is to be published, and marks it as published: Update and
// Republish may say otherwise while that is under way.
func (m *Manager) claim(j *job) []Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j.bundle == nil || j.published || !m.opt.Now().Before(j.bundle.leaf.NotAfter) {
		return nil
	}
	j.published = true
	return j.itemsLocked()
}

// unpublish says that jobs are not published after all.
func (m *Manager) unpublish(jobs []*job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range jobs {
		j.published = false
	}
}

// announce saves and publishes what is not yet. It says whether nothing is left to do.
func (m *Manager) announce(ctx context.Context, j *job) bool {
	saved := m.save(j)
	items := m.claim(j)
	if len(items) == 0 {
		return saved
	}
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	if err := m.opt.Publisher.Publish(ctx, items...); err != nil {
		m.opt.Log.Warn("certificate could not be given to all workers", zap.Strings("domains", items[0].Domains), zap.Error(err))
		m.unpublish([]*job{j})
		return false
	}
	return saved
}

// save writes a certificate. While that fails it lives in memory only, is used all the same, and is not ordered again.
func (m *Manager) save(j *job) bool {
	m.mu.Lock()
	b, unsaved, id := j.bundle, j.unsaved, j.wanted.id()
	m.mu.Unlock()
	if !unsaved {
		return true
	}
	if err := m.store.Write(certificateFile(id), b); err != nil {
		m.opt.Log.Error("issued certificate could not be stored", zap.Strings("domains", b.Domains), zap.Error(err))
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j.unsaved = false // only this goroutine sets it
	return true
}

// due says when the next attempt is, and keeps that for List.
func (m *Manager) due(j *job) time.Time {
	m.mu.Lock()
	w, b := j.wanted, j.bundle
	m.mu.Unlock()
	now := m.opt.Now()
	r := m.ledger.record(w.id(), w.settings())
	at := now
	if b != nil {
		at = renewAt(b.leaf.NotBefore, b.leaf.NotAfter, w.BufferDays, j.jitter)
	}
	if r.Next.After(at) {
		at = r.Next
	}
	text := r.Error
	if !at.After(now) {
		if refusal := m.ledger.check(limitsOf(w.Directory), w.allEvents(now, b != nil)); refusal != nil {
			at = refusal.Until
			text = strings.TrimPrefix(text+"; "+refusal.Error(), "; ")
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	j.lastError, j.next = text, at
	return at
}

// try makes one attempt, and writes down what came of it.
func (m *Manager) try(ctx context.Context, j *job) {
	m.mu.Lock()
	w, old := j.wanted, j.bundle
	m.mu.Unlock()
	limit := attemptTime
	if isManual(w) {
		limit = manualTime
	}
	if ctx.Err() != nil {
		return // the term has ended before
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	m.opt.Log.Info("asking the CA for a certificate", zap.String("certificate", w.Name), zap.Strings("domains", w.Domains), zap.String("challenge", w.Challenge))
	b, err := m.obtain(timed, j, w, old != nil)
	if err != nil {
		if ctx.Err() == nil { // else it was we who ended it
			m.failed(w, old, err)
		}
		return
	}
	m.opt.Log.Info("the CA has issued a certificate", zap.String("certificate", w.Name), zap.Strings("domains", w.Domains), zap.Time("until", b.leaf.NotAfter))
	m.mu.Lock()
	j.bundle, j.unsaved, j.published = b, true, false
	m.mu.Unlock()
	m.save(j) // at once: this may be the end of the process. announce repeats it
	m.opt.Issued(slices.Clone(w.Domains))
	m.note(w, record{Settings: w.settings()})
}

// failed sets the back-off: what the CA asks for, or the budget, or ours.
func (m *Manager) failed(w Wanted, old *bundle, err error) {
	now := m.opt.Now()
	r := m.ledger.record(w.id(), w.settings())
	r.Error = clip(err.Error())
	var refusal *budget.Refusal
	if errors.As(err, &refusal) {
		r.Next = refusal.Until
	} else {
		var left time.Duration
		if old != nil {
			left = old.leaf.NotAfter.Sub(now)
		}
		r.Failures++
		r.Next = now.Add(backOff(r.Failures, left))
	}
	var f *failure
	if errors.As(err, &f) && f.retryAfter.After(r.Next) {
		r.Next = f.retryAfter
	}
	m.note(w, r)
	m.opt.Log.Error("no certificate from the CA", zap.String("certificate", w.Name), zap.Strings("domains", w.Domains),
		zap.String("error", r.Error), zap.Time("next", r.Next))
	m.opt.Failed(slices.Clone(w.Domains), r.Error)
}

// note keeps a record. If it cannot be written it holds in memory, until the next restart.
func (m *Manager) note(w Wanted, r record) {
	if err := m.ledger.setRecord(w.id(), r); err != nil {
		m.opt.Log.Error("the time of the next attempt could not be stored", zap.String("certificate", w.Name), zap.Error(err))
	}
}

// clip makes one printable line of limited length.
func clip(text string) string {
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(line) > maxError {
		line = strings.ToValidUTF8(line[:maxError], "") + "…"
	}
	return line
}
