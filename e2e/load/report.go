package load

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// SlotTime is the length of a Slot.
const SlotTime = 100 * time.Millisecond

// Slot is what ended in one stretch of time.
type Slot struct {
	OK, Failed uint32
	Extra      time.Duration // the largest among OK
}

// Report is what a load has come to. It is taken at one moment.
type Report struct {
	Took     time.Duration
	Kinds    [kinds]Tally
	Keyed    uint64        // requests with a key that ended well
	Noise    uint64        // connections of Loris
	Gap      time.Duration // the longest time without any good answer to clients with quick ones, while there were such
	GapAt    time.Duration // when it ended, since the start
	Series   []Slot        // a slot for each SlotTime since the start
	Failures []Failure     // the first ones, up to maxFailures
}

// maxFailures are kept one by one; all are counted.
const maxFailures = 10_000

// Total sums up over all kinds.
func (r *Report) Total() Tally {
	var t Tally
	for i := range r.Kinds {
		t.add(&r.Kinds[i])
	}
	return t
}

// Sum is Total of some kinds.
func (r *Report) Sum(of ...Kind) Tally {
	var t Tally
	for _, k := range of {
		t.add(&r.Kinds[k])
	}
	return t
}

// Err says what is wrong: requests that failed, none that succeeded, or some whose end is not known. It is for a load that has
// stopped.
func (r *Report) Err() error {
	t := r.Total()
	switch {
	case t.Started != t.ended():
		return fmt.Errorf("%d requests were begun and %d have ended", t.Started, t.ended())
	case t.Failed() > 0:
		return fmt.Errorf("%d of %d requests failed", t.Failed(), t.Started)
	case t.OK() == 0:
		return fmt.Errorf("no request succeeded")
	}
	return nil
}

// String is a table with a line for each kind, and the first failures.
func (r *Report) String() string {
	var b strings.Builder
	total := r.Total()
	fmt.Fprintf(&b, "%-24s%9s%9s%8s%10s%10s%10s%10s  %s\n", "", "begun", "ok", "failed", "reopened", "p50", "p99", "max", "how they failed")
	for k := range r.Kinds {
		if r.Kinds[k].Started > 0 {
			b.WriteString(line(Kind(k).String(), &r.Kinds[k]))
		}
	}
	b.WriteString(line("all", &total))
	fmt.Fprintf(&b, "%v; longest time without an answer %v", r.Took.Round(time.Millisecond), r.Gap.Round(time.Millisecond))
	if r.Gap > 0 {
		fmt.Fprintf(&b, " (until %v)", r.GapAt.Round(time.Millisecond))
	}
	if r.Noise > 0 {
		fmt.Fprintf(&b, "; %d connections of noise", r.Noise)
	}
	for _, f := range r.Failures[:min(len(r.Failures), 8)] {
		fmt.Fprintf(&b, "\n%s", f)
	}
	return b.String()
}

func line(name string, t *Tally) string {
	round := func(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
	return fmt.Sprintf("%-24s%9d%9d%8d%10d%10s%10s%10s  %s\n", name, t.Started, t.OK(), t.Failed(), t.Reopened,
		round(t.Extra.Percentile(50)), round(t.Extra.Percentile(99)), round(t.Extra.Max), t.Why())
}

// Why lists the failures by outcome, and what else there is to say.
func (t *Tally) Why() string {
	var parts []string
	if t.Moved > 0 {
		parts = append(parts, fmt.Sprintf("%d moved", t.Moved))
	}
	if t.Abrupt > 0 {
		parts = append(parts, fmt.Sprintf("%d led away in one step", t.Abrupt))
	}
	if t.Handshakes > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d handshakes resumed", t.Resumed, t.Handshakes))
	}
	for o, n := range t.Ended {
		if Outcome(o) != OK && n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, Outcome(o)))
		}
	}
	return strings.Join(parts, ", ")
}

// Report of what has happened so far.
func (l *Load) Report() *Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Report{Took: time.Since(l.began), Kinds: l.kinds, Keyed: l.keyed, Noise: l.noise, Gap: l.gap, GapAt: l.gapAt,
		Series: slices.Clone(l.series), Failures: slices.Clone(l.failures)}
}
