package budget

import (
	"fmt"
	"slices"
	"time"
)

// Kind is what an event counts as.
type Kind string

const (
	// Order is a new order of an account.
	Order Kind = "order"
	// Failure is a validation of a name that the CA refused.
	Failure Kind = "failure"
	// Domain is a certificate for new names below a registered domain.
	Domain Kind = "domain"
	// Duplicate is a certificate for a set of names.
	Duplicate Kind = "duplicate"
)

// Event is one thing that counts. Who is the account for orders and failures, the CA for the others; What is the name, the
// registered domain, or the set of names.
type Event struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	Who  string    `json:"who"`
	What string    `json:"what,omitempty"`
}

// Limit is how many events of a kind, with the same Who and What, may be in a time.
type Limit struct {
	Kind   Kind
	Count  int
	Window time.Duration
	text   string
}

const week = 7 * 24 * time.Hour

// Any are the limits for every CA.
func Any() []Limit {
	return []Limit{
		{Order, 250, 3 * time.Hour, "orders of the account"},
		{Failure, 4, time.Hour, "failed validations of"},
	}
}

// LetsEncrypt are the limits for Let's Encrypt, which has 300 orders in 3 hours, 5 failures an hour, 50 certificates for a
// registered domain and 5 for the same names a week.
func LetsEncrypt() []Limit {
	return append(Any(),
		Limit{Domain, 45, week, "certificates for names below"},
		Limit{Duplicate, 4, week, "certificates for the same names"})
}

// maxEvents bounds the memory, and the file, that a budget takes. The oldest go first.
const maxEvents = 20_000

// Budget is what was spent.
type Budget struct {
	events []Event
}

// New makes a budget of events that were kept.
func New(events []Event) *Budget { return &Budget{events: slices.Clone(events)} }

// Events are what to keep.
func (b *Budget) Events() []Event { return b.events }

// Spend counts an event, and forgets those that no limit looks at any more.
func (b *Budget) Spend(e Event) {
	b.events = slices.DeleteFunc(append(b.events, e), func(old Event) bool { return e.At.Sub(old.At) > week })
	if over := len(b.events) - maxEvents; over > 0 {
		b.events = slices.Delete(b.events, 0, over)
	}
}

// Refusal says that a limit is reached.
type Refusal struct {
	Until time.Time
	limit Limit
	what  string
}

// Error names the limit and the time at which there is room again.
func (r *Refusal) Error() string {
	text := r.limit.text
	if r.what != "" && r.limit.Kind != Duplicate {
		text += " " + r.what
	}
	return fmt.Sprintf("held back, %d %s in %s are near the limit of the CA: next at %s",
		r.limit.Count, text, r.limit.Window, r.Until.UTC().Format(time.RFC3339))
}

// Check says whether an event would be too many. It returns the refusal that lasts longest, nil if there is none.
func (b *Budget) Check(limits []Limit, e Event) *Refusal {
	var worst *Refusal
	for _, l := range limits {
		if l.Kind != e.Kind {
			continue
		}
		if until, full := b.full(l, e); full && (worst == nil || until.After(worst.Until)) {
			worst = &Refusal{Until: until, limit: l, what: e.What}
		}
	}
	return worst
}

// full says when as many events will have left the window that one more fits in. An event of the future, which a clock
// that was set back makes, counts from now: it must not hold anybody back for longer than a window.
func (b *Budget) full(l Limit, e Event) (until time.Time, full bool) {
	var inside []time.Time
	for _, old := range b.events {
		if old.Kind != e.Kind || old.Who != e.Who || old.What != e.What {
			continue
		}
		at := old.At
		if at.After(e.At) {
			at = e.At
		}
		if e.At.Sub(at) < l.Window {
			inside = append(inside, at)
		}
	}
	if len(inside) < l.Count {
		return time.Time{}, false
	}
	slices.SortFunc(inside, time.Time.Compare)
	return inside[len(inside)-l.Count].Add(l.Window), true
}
