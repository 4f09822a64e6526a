package recent

import (
	"math"

	"pingap/arena"
	"pingap/arena/tally"
)

// classes are the values of the family of status codes: 1xx to 5xx, and none.
const classes = 6

// sums are what totals say of something: since the arena began, or between two samples.
type sums struct {
	requests, failed int64
	in, out          int64 // bytes of bodies
	class            [classes]int64
	times            [tally.NativeWords]int64 // requests by how long they took
}

// add adds the words of one block.
func (s *sums) add(kind tally.Kind, words []int64) {
	if len(words) < arena.TotalWords {
		return
	}
	families := tally.Families()
	if kind == tally.UpstreamBlock {
		s.addUpstream(families, words)
		return
	}
	s.requests += words[families[tally.Requests].At]
	s.in += words[families[tally.ReceivedBytes].At]
	s.out += words[families[tally.SentBytes].At]
	for i := range classes {
		s.class[i] += words[families[tally.ResponseCodes].At+i]
	}
	s.failed = s.class[4] + s.class[5]
	s.addTimes(&families[tally.ResponseTime], words)
}

// addUpstream counts answers of backends; the time is that until the head of the answer.
func (s *sums) addUpstream(families []tally.Family, words []int64) {
	errors := &families[tally.UpstreamErrors]
	for i := range errors.Words() {
		s.failed += words[errors.At+i]
	}
	f := &families[tally.UpstreamProcessingTime]
	s.addTimes(f, words)
	for _, n := range words[f.NativeAt : f.NativeAt+tally.NativeWords] {
		s.requests += n
	}
}

func (s *sums) addTimes(f *tally.Family, words []int64) {
	for i := range s.times {
		s.times[i] += words[f.NativeAt+i]
	}
}

// since is what came after before. Words are read one after the other while workers count, and a block may be gone with its server: nothing is less
// than nothing.
func (s *sums) since(before *sums) sums {
	d := sums{requests: after(s.requests, before.requests), failed: after(s.failed, before.failed), in: after(s.in, before.in), out: after(s.out, before.out)}
	for i := range d.class {
		d.class[i] = after(s.class[i], before.class[i])
	}
	for i := range d.times {
		d.times[i] = after(s.times[i], before.times[i])
	}
	return d
}

func after(now, before int64) int64 { return max(now-before, 0) }

// merge adds what came in another time.
func (s *sums) merge(other *sums) {
	s.requests += other.requests
	s.failed += other.failed
	s.in += other.in
	s.out += other.out
	for i := range s.class {
		s.class[i] += other.class[i]
	}
	for i := range s.times {
		s.times[i] += other.times[i]
	}
}

// percentiles are the times in milliseconds below which so many parts of 1 of the requests stayed, in rising order; NaN without any.
func (s *sums) percentiles(parts ...float64) []float64 {
	var all int64
	for _, n := range s.times {
		all += n
	}
	out := make([]float64, len(parts))
	if all == 0 {
		for i := range out {
			out[i] = math.NaN()
		}
		return out
	}
	var below int64
	at := 0
	for i, part := range parts {
		wanted := part * float64(all)
		for at < len(s.times)-1 && float64(below+s.times[at]) < wanted {
			below += s.times[at]
			at++
		}
		out[i] = between(at, s.times[at], wanted-float64(below))
	}
	return out
}

// between is a time in a bucket that n requests are in, of which so many are below it.
func between(bucket int, n int64, rank float64) float64 {
	const second = 1000 // ms
	top := tally.NativeZero * math.Exp2(float64(bucket)/(1<<tally.NativeSchema))
	bottom := top / math.Exp2(1.0/(1<<tally.NativeSchema))
	if bucket == 0 {
		bottom = 0
	}
	if bucket == tally.NativeWords-1 || n <= 0 {
		return bottom * second // what is above all bounds
	}
	return (bottom + (top-bottom)*min(max(rank/float64(n), 0), 1)) * second
}
