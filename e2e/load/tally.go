package load

import (
	"math"
	"math/bits"
	"time"
)

// Tally is what came of the requests of one kind.
type Tally struct {
	Started  uint64
	Ended    [outcomes]uint64 // by Outcome
	Reopened uint64           // connections that the proxy closed, or was leaving, while they owed nothing
	Extra    Histogram        // latency of those that ended well, beyond what the request itself takes

	Handshakes uint64 // of TLS
	Resumed    uint64 // of these, the ones that resumed a session
	Abrupt     uint64 // connections whose first GOAWAY left no time for streams on their way
	Moved      uint64 // requests begun anew elsewhere because the proxy said that it had not processed them, and messages of calls that it ended
}

// OK is how many ended well.
func (t *Tally) OK() uint64 { return t.Ended[OK] }

// Failed is how many did not end well.
func (t *Tally) Failed() uint64 { return t.ended() - t.Ended[OK] }

func (t *Tally) ended() uint64 {
	var n uint64
	for _, count := range t.Ended {
		n += count
	}
	return n
}

// add puts the figures of another tally to these.
func (t *Tally) add(other *Tally) {
	t.Started += other.Started
	t.Reopened += other.Reopened
	t.Handshakes += other.Handshakes
	t.Resumed += other.Resumed
	t.Moved += other.Moved
	t.Abrupt += other.Abrupt
	for i, n := range other.Ended {
		t.Ended[i] += n
	}
	t.Extra.add(&other.Extra)
}

const (
	steps   = 16 // buckets an octave: a percentile is exact to 6 %
	octaves = 40 // microseconds up to twelve days
)

// Histogram counts durations.
type Histogram struct {
	Max    time.Duration
	count  uint64
	counts [steps * octaves]uint32
}

func (h *Histogram) note(d time.Duration) {
	d = max(d, 0)
	h.Max = max(h.Max, d)
	h.count++
	h.counts[bucket(d)]++
}

// bucket numbers durations: linear below 16 µs, then 16 buckets for each doubling.
func bucket(d time.Duration) int {
	us := uint64(d / time.Microsecond)
	if us < steps {
		return int(us)
	}
	shift := bits.Len64(us) - 5 // steps <= us>>shift < 2*steps
	return min((shift+1)*steps+int(us>>shift)-steps, steps*octaves-1)
}

// upper is the longest duration of a bucket.
func upper(n int) time.Duration {
	if n < steps {
		return time.Duration(n) * time.Microsecond
	}
	shift := n/steps - 1
	return (time.Duration(n%steps+steps+1)<<shift - 1) * time.Microsecond
}

// Percentile is the duration that p of 100 do not exceed; 0 when nothing was counted.
func (h *Histogram) Percentile(p float64) time.Duration {
	rank := uint64(math.Ceil(p / 100 * float64(h.count)))
	var seen uint64
	for n, count := range h.counts {
		seen += uint64(count)
		if seen >= rank && seen > 0 {
			return min(upper(n), h.Max)
		}
	}
	return h.Max
}

func (h *Histogram) add(other *Histogram) {
	h.Max = max(h.Max, other.Max)
	h.count += other.count
	for i, n := range other.counts {
		h.counts[i] += n
	}
}
