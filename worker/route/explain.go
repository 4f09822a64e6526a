package route

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"pingap/message"
)

// Trace notes what MatchTraced tried: the candidates that the index led to, by rank. All others have another host or path.
type Trace struct{ tried []int32 }

// Verdict is what became of one location in a match.
type Verdict struct {
	Location *Location
	// Chosen tells the one that was found.
	Chosen bool
	// Why says in a few words why it was, or was not.
	Why string
}

// Explain tells of a request that was matched to found, which may be nil, why each location did not get it, best rank first: of at most
// limit, where those matter most that come close, and of how many more there are. It is called before the path is rewritten.
func (t *Table) Explain(rec *message.Record, trace *Trace, found *Location, limit int) (list []Verdict, more int) {
	var s search
	s.aim(t, rec)
	judged := make([]judgement, len(t.ranked))
	best := noRank
	for rank, l := range t.ranked {
		judged[rank] = judgement{rank: int32(rank), miss: l.miss(&s, t.raw)}
		if l == found {
			best, judged[rank].near = rank, true
		}
	}
	for _, rank := range trace.tried {
		judged[rank].near = true
	}
	for _, j := range closest(judged, limit) {
		l := t.ranked[j.rank]
		v := Verdict{Location: l, Chosen: int(j.rank) == best}
		switch {
		case v.Chosen:
			v.Why = "the first that matches"
		case j.miss == missNone && best != noRank:
			v.Why = outranked(l, found)
		default:
			v.Why = l.because(&s, j.miss, t.raw)
		}
		list = append(list, v)
	}
	return list, len(t.ranked) - len(list)
}

// judgement is what a location by itself has against a request.
type judgement struct {
	rank int32
	miss miss
	near bool // it was tried, or found
}

// closest returns at most limit of them, in the order of their ranks: first those that were tried or match, then those of which only one
// thing is different, then the others.
func closest(all []judgement, limit int) []judgement {
	if len(all) <= limit {
		return all
	}
	kept := make([]judgement, 0, limit)
	for _, of := range []func(j judgement) bool{
		func(j judgement) bool { return j.near || j.miss == missNone },
		func(j judgement) bool { return !j.near && j.miss != missNone && j.miss != missHost },
		func(j judgement) bool { return !j.near && j.miss == missHost },
	} {
		for _, j := range all {
			if len(kept) < limit && of(j) {
				kept = append(kept, j)
			}
		}
	}
	slices.SortFunc(kept, func(a, b judgement) int { return int(a.rank - b.rank) })
	return kept
}

// miss is the first thing that a location has against a request.
type miss uint8

const (
	missNone miss = iota
	missHost
	missPath
	missCondition
)

func (l *Location) miss(s *search, raw bool) miss {
	switch {
	case len(l.hosts) > 0 && l.hostOf(s) == nil:
		return missHost
	case !l.path.match(s.path, raw):
		return missPath
	case !l.conditions.hold(s.request):
		return missCondition
	}
	return missNone
}

// match is the plain meaning of a rule, without an index.
func (p *pathRule) match(path []byte, raw bool) bool {
	if p.kind == pathRegex {
		return p.regex.regex.Match(path)
	}
	text, exact, _ := p.literal(raw)
	if exact {
		return string(path) == text
	}
	return len(path) >= len(text) && string(path[:len(text)]) == text
}

// because says what a location has against a request.
func (l *Location) because(s *search, m miss, raw bool) string {
	switch m {
	case missHost:
		return fmt.Sprintf("host %s is not %s", quoteBytes(s.host), anyOf(l.Config.Hosts()))
	case missPath:
		text, exact, costly := l.path.literal(raw)
		switch {
		case costly:
			return fmt.Sprintf("path %s does not match %s", quoteBytes(s.path), l.path.regex.regex)
		case exact:
			return fmt.Sprintf("path %s is not %s", quoteBytes(s.path), text)
		}
		return fmt.Sprintf("path %s does not begin with %s", quoteBytes(s.path), text)
	case missCondition:
		where, which := l.conditions.failing(s.request)
		if which.Exact {
			return fmt.Sprintf("%s %s is not %q", where, which.Name, which.Value)
		}
		return fmt.Sprintf("there is no %s %s", where, which.Name)
	}
	return "matches"
}

// outranked says why a location that matches comes too late.
func outranked(l, found *Location) string {
	if l.Weight == found.Weight {
		return fmt.Sprintf("matches as well, but %s of the same weight stands before it in the list", found.Name)
	}
	return fmt.Sprintf("matches as well, but %s has more weight: %d over %d", found.Name, found.Weight, l.Weight)
}

// shownBytes bounds what is repeated of a request.
const shownBytes = 200

func quoteBytes(text []byte) string {
	if len(text) > shownBytes {
		return fmt.Sprintf("%q...", text[:shownBytes])
	}
	return fmt.Sprintf("%q", bytes.ToValidUTF8(text, []byte("?")))
}

// anyOf lists some of the hosts of a location.
func anyOf(hosts []string) string {
	const shown = 4
	if len(hosts) == 1 {
		return hosts[0]
	}
	if len(hosts) <= shown {
		return "any of " + strings.Join(hosts, ", ")
	}
	return fmt.Sprintf("any of %s and %d more", strings.Join(hosts[:shown], ", "), len(hosts)-shown)
}

// Ranked returns the locations in matching order; read-only.
func (t *Table) Ranked() []*Location { return t.ranked }

// Kind names how the path of the location is matched: "exact", "prefix", "regex" or "any".
func (l *Location) Kind() string {
	switch l.path.kind {
	case pathExact:
		return "exact"
	case pathPrefix:
		return "prefix"
	case pathRegex:
		return "regex"
	}
	return "any"
}

// HidesHeader reports whether RequestHeaders takes the value of a field from the environment: nobody is to be shown it.
func (l *Location) HidesHeader(name string) bool {
	for _, rules := range [][]headerRule{l.headers.set, l.headers.add} {
		for i := range rules {
			if strings.EqualFold(rules[i].name, name) && rules[i].value.OfEnvironment() {
				return true
			}
		}
	}
	return false
}
