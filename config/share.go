package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Share is a part of a whole in billionths; in TOML a number such as 0.25, or a text such as "25%".
type Share int64

// Whole is the share that is everything.
const Whole Share = 1e9

// String is the shortest number that ParseShare reads back as the same share.
func (s Share) String() string {
	return strconv.FormatFloat(float64(s)/float64(Whole), 'f', -1, 64)
}

// ParseShare reads a number from 0 to 1, or one from 0 to 100 with a % behind it. What is not 0 is at least a billionth.
func ParseShare(text string) (Share, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%q is not a number", clip(text))
	}
	if percent {
		f /= 100
	}
	if f < 0 || f > 1 {
		return 0, fmt.Errorf("%s is not from 0 to 1", clip(text))
	}
	if f > 0 {
		f = max(f, 1/float64(Whole))
	}
	return Share(math.Round(f * float64(Whole))), nil
}

// ParseStatuses reads a status, a class of them (4xx) or a range (500-599), and returns the first and the last.
func ParseStatuses(text string) (first, last int, err error) {
	low, high, ranged := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "-")
	if class, ok := strings.CutSuffix(low, "xx"); ok && !ranged {
		low, high, ranged = class+"00", class+"99", true
	}
	if !ranged {
		high = low
	}
	first, err = parseStatus(low)
	if err == nil {
		last, err = parseStatus(high)
	}
	if err != nil || first > last {
		return 0, 0, fmt.Errorf("expected a status such as 404, 4xx or 500-599, found %q", clip(text))
	}
	return first, last, nil
}

func parseStatus(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 100 || n > 599 {
		return 0, fmt.Errorf("no status")
	}
	return n, nil
}
