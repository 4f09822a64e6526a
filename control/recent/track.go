package recent

import "math"

// How much is kept.
const (
	fineLength   = 300 // samples of a second
	coarseLength = 720 // samples of coarseStep seconds
	coarseStep   = 5
	windowLength = 10 // sums of a second that windows are made of
	maxTracked   = 256
)

// Columns of a track.
const (
	rps = iota
	errorRate
	p50
	p90
	p99
	connections
	cpu
	memory
	columns
)

// seriesNames are the columns by the names that the API has for them.
func seriesNames() map[string]int {
	return map[string]int{"rps": rps, "errors": errorRate, "p50": p50, "p90": p90, "p99": p99, "connections": connections, "cpu": cpu, "memory": memory}
}

// sample is a row of a track; NaN is what is not known.
type sample [columns]float32

func unknown() (s sample) {
	for i := range s {
		s[i] = float32(math.NaN())
	}
	return s
}

// track is what is kept of one thing. Places are those of the Sampler's clock, by the number of the sample.
type track struct {
	from   uint64 // number of its first sample
	fine   [fineLength]sample
	coarse [coarseLength]sample
	window [windowLength]sums
	spans  [windowLength]float32 // seconds of each sum
}

// put enters the sample of a number, and what it was made of.
func (t *track) put(n uint64, s sample, d *sums, span float64) {
	t.fine[n%fineLength] = s
	at := n % windowLength
	t.spans[at] = float32(span)
	if d != nil {
		t.window[at] = *d
	} else {
		t.window[at] = sums{}
	}
}

// merged is what came in the last so many samples, and in how many seconds.
func (t *track) merged(n uint64, samples int) (all sums, span float64) {
	for i := range uint64(min(samples, windowLength)) {
		if n < i || n-i < t.from {
			break
		}
		at := (n - i) % windowLength
		all.merge(&t.window[at])
		span += float64(t.spans[at])
	}
	return all, span
}

// fold enters the sample of the last coarseStep seconds, which ends with the sample of a number.
func (t *track) fold(n uint64) {
	all, span := t.merged(n, coarseStep)
	s := t.mean(n)
	if span > 0 {
		rates(&s, &all, span)
	}
	t.coarse[n/coarseStep%coarseLength] = s
}

// mean is of those columns that are no rates.
func (t *track) mean(n uint64) sample {
	out := unknown()
	for _, c := range []int{connections, cpu, memory} {
		var sum float64
		known := 0
		for i := range uint64(coarseStep) {
			if n < i || n-i < t.from {
				break
			}
			if v := float64(t.fine[(n-i)%fineLength][c]); !math.IsNaN(v) {
				sum += v
				known++
			}
		}
		if known > 0 {
			out[c] = float32(sum / float64(known))
		}
	}
	return out
}

// rates fills in what sums say.
func rates(s *sample, d *sums, span float64) {
	s[rps] = float32(float64(d.requests) / span)
	s[errorRate] = float32(float64(d.failed) / span)
	for i, v := range d.percentiles(.5, .9, .99) {
		s[p50+i] = float32(v)
	}
}
