package cache

import (
	"time"

	"pingap/message"
)

// dateLayouts are the three forms of a date (RFC 9110 section 5.6.7), the one that is sent first.
var dateLayouts = [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", "Mon Jan _2 15:04:05 2006"}

// parseDate reads a date.
func parseDate(text []byte) (time.Time, bool) {
	if len(text) < 24 || len(text) > 33 { // the shortest and longest of them
		return time.Time{}, false
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// dateField reads the only field with this name; ok is false where there is none, another one, or what is no date.
func dateField(fields []message.Field, id message.Name) (t time.Time, ok, present bool) {
	for i := range fields {
		if fields[i].ID != id {
			continue
		}
		if present {
			return time.Time{}, false, true
		}
		present = true
		t, ok = parseDate(fields[i].Value)
	}
	return t, ok, present
}

// get returns the first value of a well-known field, nil for none.
func get(fields []message.Field, id message.Name) []byte {
	for i := range fields {
		if fields[i].ID == id {
			return fields[i].Value
		}
	}
	return nil
}
