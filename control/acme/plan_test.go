package acme

import (
	"testing"
	"time"
)

func TestCertificatesAreRenewedInTime(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		life   time.Duration
		days   int
		jitter float64
		before time.Duration // before its end
	}{
		{"of 90 days", 90 * day, 0, 0, 30 * day},
		{"of a year", 365 * day, 0, 0, 30 * day},
		{"of 6 days", 6 * day, 0, 0, 2 * day},
		{"of an hour", time.Hour, 0, 0, 20 * time.Minute},
		{"as the operator says", 90 * day, 7, 0, 7 * day},
		{"as the operator says, but not all the time", 90 * day, 100, 0, 45 * day},
		{"an hour later at most", 90 * day, 0, 1, 30*day - time.Hour},
		{"a tenth of the buffer later at most", time.Hour, 0, 1, 18 * time.Minute},
	} {
		end := from.Add(c.life)
		if got := end.Sub(renewAt(from, end, c.days, c.jitter)); got != c.before {
			t.Errorf("%s: %v before its end, want %v", c.name, got, c.before)
		}
	}
}

func TestBackOffGrowsToADay(t *testing.T) {
	for _, c := range []struct {
		failures int
		left     time.Duration
		least    time.Duration
	}{
		{1, 0, time.Minute},
		{2, 0, 2 * time.Minute},
		{5, 0, 16 * time.Minute},
		{11, 0, 1024 * time.Minute},
		{12, 0, day},
		{1000, 0, day},
		{1000, 30 * day, day},
		{1000, 8 * time.Hour, 2 * time.Hour},
		{1000, time.Second, time.Minute},
		{1, 8 * time.Hour, time.Minute},
		{1000, -time.Hour, day},
	} {
		for range 20 {
			got := backOff(c.failures, c.left)
			if got < c.least || got > c.least+c.least/4 {
				t.Errorf("after %d failures with %v left: %v, want %v and a quarter at most", c.failures, c.left, got, c.least)
			}
		}
	}
	seen := map[time.Duration]bool{}
	for range 10 {
		seen[backOff(12, 0)] = true
	}
	if len(seen) < 2 {
		t.Error("no jitter")
	}
}
