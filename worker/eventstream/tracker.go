package eventstream

// Tracker is what is known of a stream. The zero value knows nothing: it is never between two events.
type Tracker struct {
	known     bool
	between   bool // what has passed ends with a whole event
	lineStart bool // it ends with a whole line
	cr        bool // its last byte is CR, which an LF may belong to
}

// Begin returns the tracker of a stream of which nothing has passed.
func Begin() Tracker { return Tracker{known: true, between: true, lineStart: true} }

// Known reports whether this is a stream that is followed.
func (t *Tracker) Known() bool { return t.known }

// Between reports whether the stream stands between two events.
func (t *Tracker) Between() bool { return t.between }

// Feed takes bytes of the stream. An event ends with an empty line; lines end with LF, CR or both.
func (t *Tracker) Feed(p []byte) {
	for _, b := range p {
		switch {
		case b == '\n' && t.cr:
			t.cr = false
		case b == '\n' || b == '\r':
			t.between = t.lineStart
			t.lineStart, t.cr = true, b == '\r'
		default:
			*t = Tracker{known: t.known}
		}
	}
}
