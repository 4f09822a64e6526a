package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	day   = 24 * time.Hour
	month = 2_630_016 * time.Second  // 30.44 days, as humantime counts
	year  = 31_557_600 * time.Second // 365.25 days
)

var errDurationEmpty = errors.New("a duration must not be empty")

// ParseDuration reads a span such as "10s", "1m 30s" or "2days". Parts add up and each
// needs a unit; there are no signs and no fractions. At most about 292 years.
func ParseDuration(text string) (Duration, error) {
	rest := strings.TrimSpace(text)
	if rest == "" {
		return 0, errDurationEmpty
	}
	var total time.Duration
	for rest != "" {
		var part time.Duration
		var err error
		part, rest, err = durationPart(rest)
		if err != nil {
			return 0, err
		}
		if part > math.MaxInt64-total {
			return 0, fmt.Errorf("duration %q is too long", clip(text))
		}
		total += part
		rest = strings.TrimLeft(rest, " \t\n\r")
	}
	return Duration(total), nil
}

// durationPart reads one number and its unit off the front of text.
func durationPart(text string) (time.Duration, string, error) {
	digits := prefixLen(text, isDigit)
	if digits == 0 {
		return 0, "", fmt.Errorf("expected a number at %q", clip(text))
	}
	number, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("number %q is too large", clip(text[:digits]))
	}
	rest := strings.TrimLeft(text[digits:], " \t\n\r")
	letters := prefixLen(rest, isLetter)
	if letters == 0 {
		return 0, "", fmt.Errorf("number %s needs a unit such as ms, s, m, h or days", clip(text[:digits]))
	}
	unit, ok := durationUnit(rest[:letters])
	if !ok {
		return 0, "", fmt.Errorf("unknown unit %q, expected ns, us, ms, s, m, h, days, weeks, months or years", clip(rest[:letters]))
	}
	if number > math.MaxInt64/int64(unit) {
		return 0, "", fmt.Errorf("duration %s is too long", clip(text[:digits]+rest[:letters]))
	}
	return time.Duration(number) * unit, rest[letters:], nil
}

// durationUnit knows humantime's words; M is a month, m a minute.
func durationUnit(word string) (time.Duration, bool) {
	switch word {
	case "ns", "nsec", "nanos":
		return time.Nanosecond, true
	case "us", "usec", "micros":
		return time.Microsecond, true
	case "ms", "msec", "millis":
		return time.Millisecond, true
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "h", "hr", "hrs", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return day, true
	case "w", "wk", "wks", "week", "weeks":
		return 7 * day, true
	case "M", "month", "months":
		return month, true
	case "y", "yr", "yrs", "year", "years":
		return year, true
	}
	return 0, false
}

func formatDuration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	units := []struct {
		name string
		unit time.Duration
	}{
		{"days", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
		{"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", 1},
	}
	var parts []string
	for _, u := range units {
		if n := d / u.unit; n > 0 {
			parts = append(parts, strconv.FormatInt(int64(n), 10)+u.name)
			d -= n * u.unit
		}
	}
	return strings.Join(parts, " ")
}

func prefixLen(text string, in func(byte) bool) int {
	n := 0
	for n < len(text) && in(text[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// clip keeps quoted input in messages short.
func clip(text string) string {
	const most = 64
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
