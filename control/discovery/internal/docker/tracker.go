package docker

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// A container that started more than maxStarts times within startsWithin is not trusted before it ran for trustAfter.
	maxStarts    = 3
	startsWithin = time.Minute
	trustAfter   = 5 * time.Second
	// confirm is how long after a list that lacks a container, of which no event told, the list is asked for again.
	confirm = 2 * time.Second
)

// tracker knows which containers run, and which of these may be used. It belongs to the engine's loop.
type tracker struct {
	known map[string]*life
}

// life is what happened to one container.
type life struct {
	Container
	listed  bool        // Container is what a list said, and nothing is known that speaks against it
	up      bool        // it runs
	missing time.Time   // a list was without it, for the first time
	starts  []time.Time // the last ones, at most maxStarts+1
}

func newTracker() *tracker { return &tracker{known: map[string]*life{}} }

// started notes that a container runs again. Where it is comes with the next list.
func (t *tracker) started(id string, now time.Time) {
	l := t.known[id]
	if l == nil && len(t.known) < 2*maxContainers {
		l = &life{}
		t.known[id] = l
	}
	if l == nil || l.up {
		return
	}
	l.up = true
	if l.starts = append(l.starts, now); len(l.starts) > maxStarts+1 {
		l.starts = l.starts[1:]
	}
}

// stopped notes that a container does not run, or is not to be used. It says whether that was new.
func (t *tracker) stopped(id string) bool {
	l := t.known[id]
	if l == nil {
		return false
	}
	was := l.listed
	l.up, l.listed, l.missing = false, false, time.Time{}
	return was
}

// list takes in a list, and returns whether it should be asked for again soon.
func (t *tracker) list(all []Container, now time.Time) (unsure bool) {
	in := map[string]bool{}
	for _, c := range all {
		in[c.ID] = true
		t.started(c.ID, now)
		l := t.known[c.ID]
		if l == nil {
			continue
		}
		l.Container, l.listed, l.missing = c, true, time.Time{}
	}
	for id, l := range t.known {
		switch {
		case in[id]:
		case !l.listed:
			l.up = false
		case l.missing.IsZero(): // no event told that it ended: an engine that starts may not know its containers yet
			l.missing, unsure = now, true
		case now.Sub(l.missing) < confirm:
			unsure = true
		default:
			t.stopped(id)
		}
	}
	t.forget(now)
	return unsure
}

// forget drops what does not run and did not start lately.
func (t *tracker) forget(now time.Time) {
	maps.DeleteFunc(t.known, func(_ string, l *life) bool { return !l.up && now.Sub(l.last()) > startsWithin })
	if len(t.known) >= maxContainers {
		maps.DeleteFunc(t.known, func(_ string, l *life) bool { return !l.up })
	}
}

func (l *life) last() time.Time {
	if len(l.starts) == 0 {
		return time.Time{}
	}
	return l.starts[len(l.starts)-1]
}

// trusted returns when a container may be used.
func (l *life) trusted(now time.Time) time.Time {
	if len(l.starts) <= maxStarts || now.Sub(l.starts[0]) > startsWithin {
		return now
	}
	return l.last().Add(trustAfter)
}

// running are the containers to use, by ID, and when one comes to that whose trial ends; zero for never.
func (t *tracker) running(now time.Time) ([]Container, time.Time) {
	var out []Container
	var next time.Time
	for _, l := range t.known {
		if !l.listed {
			continue
		}
		if at := l.trusted(now); at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		out = append(out, l.Container)
	}
	slices.SortFunc(out, func(a, b Container) int { return strings.Compare(a.ID, b.ID) })
	return out, next
}
