package acme

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"pingap/control/acme/internal/budget"
	"pingap/control/acme/internal/store"
)

const stateFile = "state.json"

// record is what is known of the attempts for a certificate.
type record struct {
	Settings string    `json:"settings"` // they were made with
	Failures int       `json:"failures"` // in a row
	Next     time.Time `json:"next"`     // not before
	Error    string    `json:"error,omitempty"`
}

// ledger is the memory of attempts: the budget and the back-off of each certificate. Each change is on disk before it
// counts.
type ledger struct {
	store *files
	now   func() time.Time

	mu      sync.Mutex // guards what follows
	budget  *budget.Budget
	records map[string]record
}

// state is the form of a ledger on disk.
type state struct {
	Events  []budget.Event    `json:"events"`
	Records map[string]record `json:"records"`
}

// openLedger reads the ledger. One that is damaged is set aside: counting anew can make a CA refuse us for a while, not to
// work at all would be worse. damaged says so.
func openLedger(s *files, now func() time.Time) (l *ledger, damaged, err error) {
	l = &ledger{store: s, now: now}
	damaged, err = l.read()
	return l, damaged, err
}

// read reads the file, in place of what is known.
func (l *ledger) read() (damaged, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var st state
	err = l.store.Read(stateFile, &st)
	switch {
	case errors.Is(err, store.ErrDamaged):
		damaged, st = err, state{}
		if err := l.store.SetAside(stateFile); err != nil {
			return damaged, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if st.Records == nil {
		st.Records = map[string]record{}
	}
	l.budget, l.records = budget.New(st.Events), st.Records
	return damaged, nil
}

// show takes what another node has written, to be seen: nothing is spent here meanwhile.
func (l *ledger) show(data []byte) {
	var st state
	if json.Unmarshal(data, &st) != nil {
		return // whoever leads next says so
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.budget, l.records = budget.New(st.Events), st.Records
	if l.records == nil {
		l.records = map[string]record{}
	}
}

func (l *ledger) saveLocked() error {
	return l.store.Write(stateFile, state{Events: l.budget.Events(), Records: l.records})
}

// record returns what is known of a certificate. What was known with other settings does not count any more.
func (l *ledger) record(id, settings string) record {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records[id]
	if r.Settings != settings {
		return record{Settings: settings}
	}
	return r
}

func (l *ledger) setRecord(id string, r record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[id] = r
	return l.saveLocked()
}

// keepRecords forgets certificates that nobody wants any more, and whose back-off is long over.
func (l *ledger) keepRecords(wanted func(id string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.records {
		if !wanted(id) && l.now().Sub(r.Next) > day {
			delete(l.records, id)
		}
	}
}

// check says whether the events of an attempt would fit.
func (l *ledger) check(limits []budget.Limit, events []budget.Event) *budget.Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkLocked(limits, events)
}

func (l *ledger) checkLocked(limits []budget.Limit, events []budget.Event) *budget.Refusal {
	var worst *budget.Refusal
	for _, e := range events {
		if r := l.budget.Check(limits, e); r != nil && (worst == nil || r.Until.After(worst.Until)) {
			worst = r
		}
	}
	return worst
}

// spend counts events, or says why it may not. They are on disk when it returns.
func (l *ledger) spend(limits []budget.Limit, events []budget.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.checkLocked(limits, events); r != nil {
		return r
	}
	return l.countLocked(events)
}

// count counts events that have happened, whether they may or not.
func (l *ledger) count(events ...budget.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.countLocked(events)
}

func (l *ledger) countLocked(events []budget.Event) error {
	for _, e := range events {
		l.budget.Spend(e)
	}
	return l.saveLocked()
}

// limitsOf are the limits of a CA.
func limitsOf(directory string) []budget.Limit {
	u, err := url.Parse(directory)
	if err == nil && strings.HasSuffix(u.Hostname(), ".api.letsencrypt.org") {
		return budget.LetsEncrypt()
	}
	return budget.Any()
}

// orderEvents are what an order costs, certificateEvents what the certificate does. One for names that had a certificate
// before counts as a renewal, which is not limited for a registered domain.
func (w Wanted) orderEvents(now time.Time) []budget.Event {
	return []budget.Event{{At: now, Kind: budget.Order, Who: w.accountID()}}
}

func (w Wanted) certificateEvents(now time.Time, renewal bool) []budget.Event {
	events := []budget.Event{{At: now, Kind: budget.Duplicate, Who: w.Directory, What: w.setID()}}
	if renewal {
		return events
	}
	seen := map[string]bool{}
	for _, d := range w.Domains {
		registered, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimPrefix(d, "*."))
		if err != nil {
			registered = strings.TrimPrefix(d, "*.") // a suffix itself, or a name of one label
		}
		if !seen[registered] {
			seen[registered] = true
			events = append(events, budget.Event{At: now, Kind: budget.Domain, Who: w.Directory, What: registered})
		}
	}
	return events
}

// failureEvent is what a refused validation costs.
func (w Wanted) failureEvent(now time.Time, domain string) budget.Event {
	return budget.Event{At: now, Kind: budget.Failure, Who: w.accountID(), What: strings.TrimPrefix(domain, "*.")}
}

// allEvents are what an attempt may cost, to ask before it.
func (w Wanted) allEvents(now time.Time, renewal bool) []budget.Event {
	events := append(w.orderEvents(now), w.certificateEvents(now, renewal)...)
	for _, d := range w.Domains {
		events = append(events, w.failureEvent(now, d))
	}
	return events
}
