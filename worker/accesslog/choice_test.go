package accesslog

import (
	"math"
	"testing"
	"time"

	"pingap/config"
	"pingap/message"
)

func ended(status int, took time.Duration) (*message.Record, time.Time) {
	now := time.Now()
	return &message.Record{Status: status, Start: message.Clock(now) - int64(took)}, now
}

func TestConditionsMustAllHold(t *testing.T) {
	c, err := NewChoice([]string{"4xx", "500-502"}, 500*time.Millisecond, config.Whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		status int
		took   time.Duration
		want   bool
	}{
		{404, time.Second, true}, {400, time.Second, true}, {499, time.Second, true}, {500, time.Second, true}, {502, time.Second, true},
		{503, time.Second, false}, {399, time.Second, false}, {200, time.Second, false}, {0, time.Second, false},
		{404, 400 * time.Millisecond, false}, {502, 0, false}, {404, 500 * time.Millisecond, true},
		{-1, time.Second, false}, {9999, time.Second, false},
	} {
		if r, now := ended(tt.status, tt.took); c.Takes(r, now) != tt.want {
			t.Errorf("%d after %v: %v", tt.status, tt.took, !tt.want)
		}
	}
}

func TestNothingLeftOutIsNoChoice(t *testing.T) {
	c, err := NewChoice(nil, 0, config.Whole)
	if r, now := ended(200, 0); c != nil || err != nil || !c.Takes(r, now) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := NewChoice([]string{"6xx"}, 0, config.Whole); err == nil {
		t.Error("6xx is a class")
	}
}

func TestChanceLeavesOutNothingThatFailed(t *testing.T) {
	const n = 100_000
	for _, share := range []config.Share{0, config.Whole / 100, config.Whole / 4} {
		c, err := NewChoice(nil, 0, share)
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []int{0, 499, 500, 503} {
			for range 1000 {
				if r, now := ended(status, 0); !c.Takes(r, now) {
					t.Fatalf("share %v left out %d", share, status)
				}
			}
		}
		taken := 0
		r, now := ended(404, 0)
		for range n {
			if c.Takes(r, now) {
				taken++
			}
		}
		p := float64(share) / float64(config.Whole)
		if off := math.Abs(float64(taken) - n*p); off > 6*math.Sqrt(n*p*(1-p))+0.5 {
			t.Errorf("share %v took %d of %d", share, taken, n)
		}
	}
}

func BenchmarkChoice(b *testing.B) {
	c, err := NewChoice([]string{"2xx", "5xx"}, time.Microsecond, config.Whole/100)
	if err != nil {
		b.Fatal(err)
	}
	r, now := ended(200, time.Second)
	b.ReportAllocs()
	for b.Loop() {
		c.Takes(r, now)
	}
}
