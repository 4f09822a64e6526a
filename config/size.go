package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

var errSizeEmpty = errors.New("a size must not be empty")

// ParseSize reads a number of bytes such as "1024", "64kib", "10mb" or "1.5 GB". Units
// with an i count by 1024, the others by 1000; case does not matter.
func ParseSize(text string) (Size, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return 0, errSizeEmpty
	}
	digits := prefixLen(trimmed, func(c byte) bool { return isDigit(c) || c == '.' })
	if digits == 0 {
		return 0, fmt.Errorf("expected a number of bytes at %q", clip(trimmed))
	}
	word := strings.TrimLeft(trimmed[digits:], " \t")
	unit, ok := sizeUnit(strings.ToLower(word))
	if !ok {
		return 0, fmt.Errorf("unknown unit %q, expected b, kb, kib, mb, mib, gb, gib, tb, tib, pb or pib", clip(word))
	}
	return sizeOf(trimmed[:digits], unit)
}

func sizeOf(number string, unit int64) (Size, error) {
	if !strings.Contains(number, ".") {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > math.MaxInt64/unit {
			return 0, fmt.Errorf("size %q is too large", clip(number))
		}
		return Size(n * unit), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("expected a number of bytes at %q", clip(number))
	}
	if f*float64(unit) >= math.MaxInt64 {
		return 0, fmt.Errorf("size %q is too large", clip(number))
	}
	return Size(f * float64(unit)), nil
}

func sizeUnit(word string) (int64, bool) {
	switch word {
	case "", "b":
		return 1, true
	case "k", "kb":
		return 1e3, true
	case "m", "mb":
		return 1e6, true
	case "g", "gb":
		return 1e9, true
	case "t", "tb":
		return 1e12, true
	case "p", "pb":
		return 1e15, true
	case "ki", "kib":
		return 1 << 10, true
	case "mi", "mib":
		return 1 << 20, true
	case "gi", "gib":
		return 1 << 30, true
	case "ti", "tib":
		return 1 << 40, true
	case "pi", "pib":
		return 1 << 50, true
	}
	return 0, false
}

func formatSize(n int64) string {
	units := []struct {
		name string
		unit int64
	}{
		{"pib", 1 << 50}, {"tib", 1 << 40}, {"gib", 1 << 30}, {"mib", 1 << 20}, {"kib", 1 << 10},
		{"pb", 1e15}, {"tb", 1e12}, {"gb", 1e9}, {"mb", 1e6}, {"kb", 1e3},
	}
	for _, u := range units {
		if n >= u.unit && n%u.unit == 0 {
			return strconv.FormatInt(n/u.unit, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
