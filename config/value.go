package config

import (
	"fmt"
	"time"
)

// Duration is a time span; in TOML a text such as "10s", "1m 30s" or "2days". 0 is unset.
type Duration time.Duration

// Std is the span as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the shortest text that ParseDuration reads back as the same span.
func (d Duration) String() string { return formatDuration(time.Duration(d)) }

// Size is a number of bytes; in TOML a number or a text such as "64kib" or "10mb".
type Size int64

// String is the shortest text that ParseSize reads back as the same number.
func (s Size) String() string { return formatSize(int64(s)) }

// redacted is what any print of a Secret shows.
const redacted = "[redacted]"

// Secret is a text that must not be printed. Every way to format or marshal it shows
// "[redacted]" (nothing when empty); Reveal gives the text to who needs it.
type Secret string

// Reveal is the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format hides the text from every verb, %x and %d included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the text from JSON, TOML and whatever else marshals text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
