package budget

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func start() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

// spend spends an event n times, with a pause between two.
func spend(b *Budget, e Event, n int, pause time.Duration) {
	for range n {
		b.Spend(e)
		e.At = e.At.Add(pause)
	}
}

func TestEachLimitHoldsInItsWindow(t *testing.T) {
	for _, c := range []struct {
		name   string
		event  Event
		count  int
		window time.Duration
		text   string
	}{
		{"orders of an account", Event{Kind: Order, Who: "account"}, 250, 3 * time.Hour, "250 orders of the account in 3h0m0s"},
		{"failures of a name", Event{Kind: Failure, Who: "account", What: "a.example.com"}, 4, time.Hour, "failed validations of a.example.com"},
		{"certificates below a domain", Event{Kind: Domain, Who: "ca", What: "example.com"}, 45, 7 * 24 * time.Hour, "names below example.com"},
		{"duplicates", Event{Kind: Duplicate, Who: "ca", What: "0123"}, 4, 7 * 24 * time.Hour, "4 certificates for the same names in 168h0m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New(nil)
			c.event.At = start()
			spend(b, c.event, c.count-1, time.Second)
			last := c.event
			last.At = start().Add(time.Minute * 10)
			if r := b.Check(LetsEncrypt(), last); r != nil {
				t.Fatalf("held back one too early: %v", r)
			}
			b.Spend(last)
			r := b.Check(LetsEncrypt(), last)
			if r == nil {
				t.Fatal("not held back")
			}
			if want := start().Add(c.window); !r.Until.Equal(want) {
				t.Errorf("until %v, want %v: the first event leaves the window then", r.Until, want)
			}
			if !strings.Contains(r.Error(), c.text) || !strings.Contains(r.Error(), r.Until.Format(time.RFC3339)) {
				t.Errorf("text %q", r.Error())
			}
			last.At = r.Until
			if r := b.Check(LetsEncrypt(), last); r != nil {
				t.Errorf("held back although there is room again: %v", r)
			}
			other := last
			other.At, other.Who = start().Add(time.Hour/2), "another"
			if r := b.Check(LetsEncrypt(), other); r != nil {
				t.Errorf("another is held back: %v", r)
			}
		})
	}
}

func TestOtherCAsDecideHowManyCertificatesTheyGive(t *testing.T) {
	b := New(nil)
	e := Event{At: start(), Kind: Duplicate, Who: "ca", What: "0123"}
	spend(b, e, 1000, time.Second)
	if r := b.Check(Any(), e); r != nil {
		t.Error(r)
	}
}

func TestABudgetSurvivesBeingWritten(t *testing.T) {
	b := New(nil)
	e := Event{At: start(), Kind: Failure, Who: "account", What: "a.example.com"}
	spend(b, e, 4, time.Second)
	data, err := json.Marshal(b.Events())
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	if err := json.Unmarshal(data, &events); err != nil {
		t.Fatal(err)
	}
	if New(events).Check(Any(), e) == nil {
		t.Error("the limit is forgotten")
	}
}

func TestOldEventsAreForgottenAndTheirNumberIsBounded(t *testing.T) {
	b := New(slices.Repeat([]Event{{At: start(), Kind: Order, Who: "a"}}, maxEvents+100))
	b.Spend(Event{At: start().Add(time.Second), Kind: Order, Who: "a"})
	if n := len(b.Events()); n != maxEvents {
		t.Errorf("%d events, limit %d", n, maxEvents)
	}
	b.Spend(Event{At: start().Add(8 * 24 * time.Hour), Kind: Order, Who: "a"})
	if n := len(b.Events()); n != 1 {
		t.Errorf("%d events after a week, want 1", n)
	}
}

func TestAClockThatWasSetBackHoldsNobodyBackForLongerThanAWindow(t *testing.T) {
	b := New(nil)
	spend(b, Event{At: start().Add(1000 * time.Hour), Kind: Failure, Who: "a", What: "n"}, 4, time.Second)
	r := b.Check(Any(), Event{At: start(), Kind: Failure, Who: "a", What: "n"})
	if r == nil || r.Until.After(start().Add(time.Hour)) {
		t.Errorf("refusal %+v", r)
	}
}
