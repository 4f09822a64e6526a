package route

import (
	"bytes"

	"pingap/message"
)

// search is one look into a table; it lives on the stack.
type search struct {
	request *message.Request
	path    []byte
	host    []byte // as received
	best    int32
	steps   int    // nodes and candidates looked at
	trace   *Trace // nil where nobody asks

	// lower is the host in lower case, without the dot of the root; empty if it is too long for any
	// literal to match. An array, as a slice of it kept here would move the search to the heap.
	lower  [maxHost]byte
	length int
}

func (s *search) name() []byte { return s.lower[:s.length] }

// find sets s.best. All that is literal comes first: it is cheap, and what it finds decides which
// expressions could still win.
func (t *Table) find(s *search, rec *message.Record) {
	s.aim(t, rec)
	t.buckets(s, false)
	t.buckets(s, true)
}

// aim makes s the search for a request.
func (s *search) aim(t *Table, rec *message.Record) {
	s.request, s.best = &rec.Request, noRank
	s.path = s.request.Path
	if !t.raw {
		s.path = s.request.NormalPath()
	}
	s.host = s.request.HostName()
	s.lowerHost()
}

// buckets looks into every tree that the host selects.
func (t *Table) buckets(s *search, costly bool) {
	name := s.name()
	if len(t.exact) > 0 {
		t.walk(s, t.exact[string(name)], costly, false)
	}
	if len(t.wildcard) > 0 && len(name) > 0 && name[0] != '.' {
		for i, dots := len(name)-1, 0; i > 0 && dots < t.maxDots; i-- {
			if name[i] == '.' {
				dots++
				t.walk(s, t.wildcard[string(name[i:])], costly, false)
			}
		}
	}
	t.walk(s, t.any, costly, false)
	if costly {
		t.walk(s, t.regex, true, true)
	}
}

// walk follows the path through a tree and tries what lies on the way.
func (t *Table) walk(s *search, n *node, costly, host bool) {
	rest := s.path
	for n != nil && len(rest) >= len(n.text) && string(rest[:len(n.text)]) == n.text {
		s.steps++
		rest = rest[len(n.text):]
		if costly {
			if n.bestCostly >= s.best {
				return
			}
			t.try(s, n.prefix.costly, true, host)
		} else {
			if n.bestPlain >= s.best {
				return
			}
			t.try(s, n.prefix.plain, false, false)
		}
		if len(rest) == 0 {
			t.tryExact(s, n, costly, host)
			return
		}
		n = n.child(rest[0])
	}
}

func (t *Table) tryExact(s *search, n *node, costly, host bool) {
	if costly {
		t.try(s, n.exact.costly, true, host)
		return
	}
	t.try(s, n.exact.plain, false, false)
}

// try takes the first of a list of candidates that matches, if it is better than the best so far.
func (t *Table) try(s *search, ranks []int32, path, host bool) {
	for _, rank := range ranks {
		if rank >= s.best {
			return
		}
		s.steps++
		if s.trace != nil {
			s.trace.tried = append(s.trace.tried, rank)
		}
		l := t.ranked[rank]
		if !l.conditions.hold(s.request) {
			continue
		}
		if path && l.path.kind == pathRegex && !l.path.regex.regex.Match(s.path) {
			continue
		}
		if host && l.hostOf(s) == nil {
			continue
		}
		s.best = rank
		return
	}
}

// hostOf returns the first entry of the location's hosts that matches.
func (l *Location) hostOf(s *search) *hostRule {
	for i := range l.hosts {
		if l.hosts[i].match(s.name(), s.host) {
			return &l.hosts[i]
		}
	}
	return nil
}

// capture records what the expressions of the location captured; of several hosts the first that
// matches counts.
func (l *Location) capture(rec *message.Record, s *search) {
	if l.path.kind == pathRegex && l.path.regex.names != nil {
		l.path.regex.capture(rec, stable(s.request, s.path))
	}
	for i := range l.hosts {
		if l.hosts[i].kind != hostRegex {
			continue // spares literal locations the look at their hosts
		}
		if host := l.hostOf(s); host != nil && host.kind == hostRegex {
			host.regex.capture(rec, s.host)
		}
		return
	}
}

// lowerHost sets s.lower from s.host.
func (s *search) lowerHost() {
	host := bytes.TrimSuffix(s.host, []byte{'.'})
	if len(host) > len(s.lower) {
		return
	}
	s.length = len(host)
	for i, c := range host {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		s.lower[i] = c
	}
}
