package route

import (
	"cmp"
	"slices"
	"strings"

	"pingap/message"
)

// Options of a table.
type Options struct {
	// RawPath matches paths as received (path_matching = "raw" of a server), not their normal form.
	RawPath bool
}

// Table finds the location of a request among those of one server. It is immutable.
type Table struct {
	ranked []*Location // best first
	raw    bool

	any      *node            // locations for any host
	exact    map[string]*node // by host name
	wildcard map[string]*node // by the part behind the star
	regex    *node            // locations with an expression among their hosts
	maxDots  int              // dots in the longest wildcard
}

// NewTable indexes the locations of a server, given in the order of its list. Locations of equal
// weight keep that order.
func NewTable(locations []*Location, opt Options) *Table {
	t := &Table{
		ranked: slices.Clone(locations), raw: opt.RawPath,
		exact: map[string]*node{}, wildcard: map[string]*node{},
	}
	slices.SortStableFunc(t.ranked, func(a, b *Location) int { return cmp.Compare(b.Weight, a.Weight) })
	for rank, l := range t.ranked {
		t.index(l, int32(rank))
	}
	return t
}

func (t *Table) index(l *Location, rank int32) {
	literal, exact, costly := l.path.literal(t.raw)
	if len(l.hosts) == 0 {
		t.any = grow(t.any)
		t.any.insert(literal, exact, rank, costly)
	}
	for i := range l.hosts {
		host := &l.hosts[i]
		switch host.kind {
		case hostExact:
			bucket(t.exact, host.text).insert(literal, exact, rank, costly)
		case hostWildcard:
			bucket(t.wildcard, host.text).insert(literal, exact, rank, costly)
			t.maxDots = max(t.maxDots, strings.Count(host.text, "."))
		case hostRegex:
			t.regex = grow(t.regex)
			t.regex.insert(literal, exact, rank, true)
		}
	}
}

func grow(n *node) *node {
	if n == nil {
		return newNode("")
	}
	return n
}

func bucket(buckets map[string]*node, key string) *node {
	n := grow(buckets[key])
	buckets[key] = n
	return n
}

// Match returns the location of a request, nil if there is none, and sets rec.Captures to what the
// expressions of its host and path captured. Without expressions it does not allocate.
func (t *Table) Match(rec *message.Record) *Location { return t.MatchTraced(rec, nil) }

// MatchTraced is Match, and tells the trace, which may be nil, what was tried.
func (t *Table) MatchTraced(rec *message.Record, trace *Trace) *Location {
	rec.Captures = rec.Captures[:0]
	s := search{trace: trace}
	t.find(&s, rec)
	if s.best == noRank {
		return nil
	}
	l := t.ranked[s.best]
	l.capture(rec, &s)
	return l
}
