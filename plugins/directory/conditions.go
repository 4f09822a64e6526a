package directory

import (
	"bytes"
	"time"

	"pingap/message"
)

// version is what a file is known by: the state of its contents.
type version struct {
	tag      []byte // entity tag with its quotes; strong
	modified int64  // seconds since 1970
	date     []byte // modified as a field says it
}

// conditionFields are the fields that make a request conditional or ask for a part.
type conditionFields struct {
	match, noneMatch                     bool // several lines are one list
	modifiedSince, unmodifiedSince       []byte
	hasModifiedSince, hasUnmodifiedSince bool
	ranges, ifRange                      []byte
	rangeLines                           int
	hasIfRange                           bool
}

const (
	ifMatch           = "If-Match"
	ifUnmodifiedSince = "If-Unmodified-Since"
)

// readConditions looks at each field once: most requests have none of these.
func readConditions(fields *message.Fields) (c conditionFields) {
	list := fields.List()
	for i := range list {
		f := &list[i]
		switch f.ID {
		case message.IfNoneMatch:
			c.noneMatch = true
		case message.IfModifiedSince:
			c.modifiedSince, c.hasModifiedSince = f.Value, true
		case message.Range:
			c.ranges = f.Value
			c.rangeLines++
		case message.IfRange:
			c.ifRange, c.hasIfRange = f.Value, true
		case message.Unknown:
			switch {
			case len(f.Name) == len(ifMatch) && message.EqualFold(f.Name, ifMatch):
				c.match = true
			case len(f.Name) == len(ifUnmodifiedSince) && message.EqualFold(f.Name, ifUnmodifiedSince):
				c.unmodifiedSince, c.hasUnmodifiedSince = f.Value, true
			}
		}
	}
	return c
}

// status judges the preconditions in the order of RFC 9110 section 13.2.2, for a GET or HEAD of a file that is there: 200, 304 or 412.
func (c *conditionFields) status(fields *message.Fields, v *version, now time.Time) int {
	switch {
	case c.match:
		if !anyTag(fields, message.Unknown, v.tag, true) {
			return 412
		}
	case c.hasUnmodifiedSince:
		if since, ok := parseDate(c.unmodifiedSince, now); ok && v.modified > since {
			return 412
		}
	}
	switch {
	case c.noneMatch:
		if anyTag(fields, message.IfNoneMatch, v.tag, false) {
			return 304
		}
	case c.hasModifiedSince:
		if bytes.Equal(c.modifiedSince, v.date) {
			return 304
		}
		if since, ok := parseDate(c.modifiedSince, now); ok && v.modified <= since {
			return 304
		}
	}
	return 200
}

// wanted reports whether the Range field counts: a client that has a part of another version must get all of this one (section 13.1.5).
// A date tells versions apart only if the file was not changed in the second of the answer.
func (c *conditionFields) wanted(v *version, now time.Time) bool {
	if c.rangeLines != 1 {
		return false
	}
	if !c.hasIfRange {
		return true
	}
	if len(c.ifRange) > 0 && (c.ifRange[0] == '"' || c.ifRange[0] == 'W') && bytes.IndexByte(c.ifRange, '"') >= 0 {
		return bytes.Equal(c.ifRange, v.tag)
	}
	since, ok := parseDate(c.ifRange, now)
	return ok && since == v.modified && v.modified < now.Unix()
}

// anyTag reports whether one of the lines of If-Match, by id Unknown, or If-None-Match names the tag.
func anyTag(fields *message.Fields, id message.Name, tag []byte, strong bool) bool {
	list := fields.List()
	for i := range list {
		f := &list[i]
		if f.ID == id && (id != message.Unknown || message.EqualFold(f.Name, ifMatch)) && listHasTag(f.Value, tag, strong) {
			return true
		}
	}
	return false
}

// listHasTag looks for a strong tag in a list of them (section 8.8.3), or "*". What is no list ends it.
func listHasTag(list, tag []byte, strong bool) bool {
	if len(list) == 1 && list[0] == '*' {
		return true
	}
	for {
		list = bytes.TrimLeft(list, ", \t")
		rest, weak := bytes.CutPrefix(list, []byte("W/"))
		if len(rest) < 2 || rest[0] != '"' {
			return false
		}
		end := bytes.IndexByte(rest[1:], '"')
		if end < 0 {
			return false
		}
		if bytes.Equal(rest[:end+2], tag) && !(weak && strong) {
			return true
		}
		if list = rest[end+2:]; len(list) > 0 && list[0] != ',' && list[0] != ' ' && list[0] != '\t' {
			return false
		}
	}
}
