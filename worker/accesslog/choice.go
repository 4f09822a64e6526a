package accesslog

import (
	"math"
	"math/rand/v2"
	"time"

	"pingap/config"
	"pingap/message"
)

// statuses is how many there may be: a Record's status is below it.
const statuses = 640

// Choice says which requests get a line. nil is all of them. It never changes and is safe for use by many goroutines.
type Choice struct {
	all     bool // every status
	status  [statuses / 64]uint64
	minTime int64  // ns; 0 is no bound
	share   uint64 // of 2^64-1; all ones is everything
}

// NewChoice compiles the keys access_log_status, access_log_min_time and access_log_sample; nil where they leave nothing out.
func NewChoice(status []string, minTime time.Duration, sample config.Share) (*Choice, error) {
	if len(status) == 0 && minTime <= 0 && sample >= config.Whole {
		return nil, nil
	}
	c := &Choice{all: len(status) == 0, minTime: int64(minTime), share: math.MaxUint64}
	if sample < config.Whole {
		c.share = uint64(max(sample, 0)) * (math.MaxUint64 / uint64(config.Whole))
	}
	for _, text := range status {
		first, last, err := config.ParseStatuses(text)
		if err != nil {
			return nil, err
		}
		for s := first; s <= last; s++ {
			c.status[s/64] |= 1 << (s % 64)
		}
	}
	return c, nil
}

// Takes reports whether an exchange that ends now is logged: conditions first, then chance, which leaves out nothing that failed.
func (c *Choice) Takes(r *message.Record, now time.Time) bool {
	if c == nil {
		return true
	}
	if !c.all && (r.Status < 0 || r.Status >= statuses || c.status[r.Status/64]&(1<<(r.Status%64)) == 0) {
		return false
	}
	if c.minTime > 0 && message.Clock(now)-r.Start < c.minTime {
		return false
	}
	// The source of Uint64 belongs to the thread: no lock, no allocation.
	return c.share == math.MaxUint64 || failed(r.Status) || rand.Uint64() < c.share
}

// failed reports whether the server or somebody on the way failed: no status, 499 or 5xx.
func failed(status int) bool { return status == 0 || status == 499 || status >= 500 }
