package georestriction

import (
	"errors"
	"strings"

	"pingap/plugins"
)

// country is a code of two letters (ISO 3166-1) as a number from 1; 0 is unknown.
type country uint16

const (
	unknown   country = 0
	countries         = 26*26 + 1
)

// parseCountry reads a code in any case; false if it is none.
func parseCountry(code string) (country, bool) {
	if len(code) != 2 {
		return unknown, false
	}
	var n int
	for i := range len(code) {
		c := code[i] &^ 0x20 // upper case
		if c < 'A' || c > 'Z' {
			return unknown, false
		}
		n = n*26 + int(c-'A')
	}
	return country(n + 1), true
}

// String returns the code in upper case, ?? for unknown.
func (c country) String() string {
	if c == unknown || c >= countries {
		return "??"
	}
	return string([]byte{'A' + byte((c-1)/26), 'A' + byte((c-1)%26)})
}

// set is a set of countries.
type set [countries]bool

// readCountries reads entries of codes, several in one separated by blanks and commas.
func readCountries(key string, entries []string) (*set, error) {
	var s set
	var problems []error
	for i, entry := range entries {
		codes := strings.FieldsFunc(entry, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
		if len(codes) == 0 {
			problems = append(problems, plugins.EntryErrorf(key, i, "expected codes of countries, found none"))
		}
		for _, code := range codes {
			c, ok := parseCountry(code)
			if !ok {
				problems = append(problems, plugins.EntryErrorf(key, i, "expected codes of countries of two letters, such as DE (ISO 3166-1)"))
				break
			}
			s[c] = true
		}
	}
	return &s, errors.Join(problems...)
}
