package telemetry

import (
	"strings"
	"time"
)

// The spans after which a log goes on in a file of another name.
const (
	RollDaily    = "daily"
	RollHourly   = "hourly"
	RollMinutely = "minutely"
	RollNever    = "never"
)

// RollingName returns the file that lines of time t belong to: path and the date in UTC. rolling is
// one of the Roll constants; empty is RollNever. A path that ends in a slash is a directory,
// in which the date is the whole name, by day where rolling would give none.
func RollingName(path, rolling string, t time.Time) string {
	layout, _ := rollingSpan(rolling)
	if strings.HasSuffix(path, "/") {
		if layout == "" {
			layout = time.DateOnly
		}
		return path + t.UTC().Format(layout)
	}
	if layout == "" {
		return path
	}
	return path + "." + t.UTC().Format(layout)
}

// NextRoll returns when RollingName will first give another name than at t; false for never.
func NextRoll(rolling string, t time.Time) (time.Time, bool) {
	_, span := rollingSpan(rolling)
	if span == 0 {
		return time.Time{}, false
	}
	// Truncate counts from the zero time, which begins a UTC day.
	return t.UTC().Truncate(span).Add(span), true
}

func rollingSpan(rolling string) (layout string, span time.Duration) {
	switch rolling {
	case RollDaily:
		return time.DateOnly, 24 * time.Hour
	case RollHourly:
		return "2006-01-02-15", time.Hour
	case RollMinutely:
		return "2006-01-02-15-04", time.Minute
	}
	return "", 0
}
