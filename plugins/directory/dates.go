package directory

import (
	"time"
)

// The forms of a date that clients may send (RFC 9110 section 5.6.7). The first is the one that is written.
const (
	dateForm    = "Mon, 02 Jan 2006 15:04:05 GMT"
	dateRFC850  = "Monday, 02-Jan-06 15:04:05 GMT"
	dateAsctime = "Mon Jan _2 15:04:05 2006"
	longestDate = len("Wednesday, 02-Jan-06 15:04:05 GMT")
)

// parseDate reads a date as seconds since 1970.
func parseDate(text []byte, now time.Time) (seconds int64, ok bool) {
	if len(text) < len(dateAsctime) || len(text) > longestDate {
		return 0, false
	}
	if t, err := time.Parse(dateForm, string(text)); err == nil {
		return t.Unix(), true
	}
	if t, err := time.Parse(dateRFC850, string(text)); err == nil {
		// Two digits mean the century in which it is not more than 50 years ahead.
		for t.After(now.AddDate(50, 0, 0)) {
			t = t.AddDate(-100, 0, 0)
		}
		for t.AddDate(100, 0, 0).Before(now.AddDate(50, 0, 0)) {
			t = t.AddDate(100, 0, 0)
		}
		return t.Unix(), true
	}
	t, err := time.Parse(dateAsctime, string(text))
	return t.Unix(), err == nil
}
