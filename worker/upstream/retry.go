package upstream

import (
	"time"

	"pingap/config"
)

// maxAttempts bounds the attempts of one request whatever a location allows.
const maxAttempts = 16

// Retry is a location's rule for trying another backend after a failure to connect.
type Retry struct {
	// Max is how often another backend is tried; 0 is never.
	Max int
	// Window is how long after the start of the request; 0 is no limit.
	Window time.Duration
}

// NewRetry takes the rule from a location.
func NewRetry(cfg *config.Location) Retry {
	return Retry{Max: min(cfg.MaxRetries, maxAttempts-1), Window: cfg.MaxRetryWindow.Std()}
}

// Allowed reports whether another backend may be tried after retries earlier ones, for a request
// that began at start; both times in ns on the clock of message.Now.
func (r Retry) Allowed(retries int, start, now int64) bool {
	return retries < r.Max && (r.Window == 0 || now-start <= int64(r.Window))
}
