package server

import "math/bits"

// urgencies is the number of levels of RFC 9218.
const urgencies = 8

// ready are the streams that have data to send and a window for it, the most urgent first. Within an urgency those
// whose responses are of use only as a whole go first, by number, and the others take turns.
type ready struct {
	lists [urgencies]streamList
	used  uint8 // bits of lists that are not empty
}

// streamList is a list chained through before and after.
type streamList struct{ first, last *Stream }

// best returns the stream to send from, nil if there is none.
func (r *ready) best() *Stream {
	if r.used == 0 {
		return nil
	}
	return r.lists[bits.TrailingZeros8(r.used)].first
}

// add puts s into its place.
func (r *ready) add(s *Stream) {
	if s.queued {
		return
	}
	s.queued = true
	s.level = s.priority.Urgency % urgencies
	l := &r.lists[s.level]
	r.used |= 1 << s.level
	at := (*Stream)(nil) // goes in front of
	if !s.priority.Incremental {
		at = l.first
		for at != nil && !at.priority.Incremental && at.id < s.id {
			at = at.after
		}
	}
	s.after = at
	if at == nil {
		s.before, l.last = l.last, s
	} else {
		s.before, at.before = at.before, s
	}
	if s.before == nil {
		l.first = s
	} else {
		s.before.after = s
	}
}

// remove takes s out, if it is there.
func (r *ready) remove(s *Stream) {
	if !s.queued {
		return
	}
	l := &r.lists[s.level]
	if s.before == nil {
		l.first = s.after
	} else {
		s.before.after = s.after
	}
	if s.after == nil {
		l.last = s.before
	} else {
		s.after.before = s.before
	}
	s.before, s.after, s.queued = nil, nil, false
	if l.first == nil {
		r.used &^= 1 << s.level
	}
}
