package recent

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// History is what is known of something over a time: for each series a value for each step, null where nothing is known.
type History struct {
	From   int64               `json:"from"` // Unix, ms; of the first value
	Step   int64               `json:"step_ms"`
	Series map[string][]Figure `json:"series"`
}

// longest is the time that is kept.
const longest = coarseLength * coarseStep * period

// History of what has a name ("total", "location:x", "upstream:y", "process:worker/0"), in the last minutes. Up to five minutes come in steps of a second,
// more in steps of five. false where the configuration has nothing of that name.
func (s *Sampler) History(of string, series []string, span time.Duration) (*History, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, found := s.trackLocked(of)
	if !found {
		return nil, false
	}
	span = min(max(span, period), longest)
	step := period
	if span > fineLength*period {
		step = coarseStep * period
	}
	values := int(span / step)
	h := &History{Step: step.Milliseconds(), Series: map[string][]Figure{}}
	last := s.lastLocked()
	if step != period && s.n >= coarseStep {
		last = time.UnixMilli(s.folds[s.n/coarseStep%coarseLength])
	}
	h.From = last.Add(-step * time.Duration(values-1)).UnixMilli()
	for _, name := range series {
		list := make([]Figure, values)
		for i := range list {
			list[i] = Figure(math.NaN())
		}
		h.Series[name] = list
	}
	if t != nil {
		s.fillLocked(h, t, values)
	}
	return h, true
}

// trackLocked finds what is kept, nil where nothing is; false where there is no such thing.
func (s *Sampler) trackLocked(of string) (*track, bool) {
	kind, name, _ := strings.Cut(of, ":")
	var list []*object
	switch kind {
	case "total":
		return s.total.track, name == ""
	case "process":
		t, ok := s.slots[name]
		return t, ok
	case "location":
		list = s.locations
	case "upstream":
		list = s.upstreams
	}
	for _, o := range list {
		if o.name == name {
			return o.track, true
		}
	}
	return nil, false
}

// fillLocked enters values where their time is. A process that was held up for long has left out some.
func (s *Sampler) fillLocked(h *History, t *track, values int) {
	names := seriesNames()
	put := func(ms int64, row *sample) {
		at := int(math.Round(float64(ms-h.From) / float64(h.Step)))
		if at < 0 || at >= values {
			return
		}
		for name, list := range h.Series {
			list[at] = Figure(row[names[name]])
		}
	}
	if h.Step == period.Milliseconds() {
		for i := range uint64(fineLength) {
			if n := s.n - i; i < s.n && n >= t.from {
				put(s.stamps[n%fineLength], &t.fine[n%fineLength])
			}
		}
		return
	}
	for i := range uint64(coarseLength) {
		if n := s.n/coarseStep - i; i < s.n/coarseStep && n*coarseStep >= t.from {
			put(s.folds[n%coarseLength], &t.coarse[n%coarseLength])
		}
	}
}

// parseSeries reads a comma list of names.
func parseSeries(text string) ([]string, error) {
	known := seriesNames()
	var list []string
	for name := range strings.SplitSeq(text, ",") {
		if _, ok := known[name]; !ok {
			return nil, fmt.Errorf("series %.32q is none of rps, errors, p50, p90, p99, connections, cpu and memory", name)
		}
		list = append(list, name)
	}
	return list, nil
}
