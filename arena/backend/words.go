package backend

import "pingap/arena"

// Words of a record by their numbers. Those that each choice reads are beside the record's id, in the first line of the cache.
const (
	BreakerState = 0 // Word
	BreakerTime  = 1 // ns: open until; half-open: when the last probe was let out
	EjectedUntil = 2 // ns; 0 never was, past when it came back. An odd one is not decided yet and keeps nobody out
	EjectTimes   = 3 // how often in a row it was ejected
	ClosedAt     = 4 // ns: when the breaker closed, 0 never was open
	BreakerRow   = 5 // failures in a row, as the breaker counts
	EjectRow     = 6 // failures in a row, as ejection counts
	Requests     = 7 // all that ended, counted with enable_backend_stats, as the next three
	Failures     = 8
	WindowEven   = 9 // Window of an even number
	WindowOdd    = 10

	// Turn is the only word of an upstream's own record: how many turns of round robin were taken.
	Turn = 7
)

// State is that of a breaker.
type State uint8

// The states of a breaker.
const (
	Closed State = iota
	Open
	HalfOpen
)

// String is the state's name for people.
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	}
	return "closed"
}

// MaxProbes bounds the probes and the successes of a half-open breaker.
const MaxProbes = 1<<16 - 1

// generations is how many numbers there are for a state.
const generations = 1 << 30

// Word is the word of a breaker: from the highest bit on the state (2), its number (30), probes out (16), successes (16).
type Word uint64

// NewWord makes a word.
func NewWord(s State, generation uint32, probes, successes int) Word {
	return Word(s)<<62 | Word(generation%generations)<<32 | Word(uint16(probes))<<16 | Word(uint16(successes))
}

// State is the breaker's; a value that means nothing is a closed one.
func (w Word) State() State {
	if s := State(w >> 62); s <= HalfOpen {
		return s
	}
	return Closed
}

// Generation is the number of the state. It changes with each.
func (w Word) Generation() uint32 { return uint32(w>>32) % generations }

// Probes are those that are out of a half-open breaker.
func (w Word) Probes() int { return int(uint16(w >> 16)) }

// Successes are those of probes, since it is half-open.
func (w Word) Successes() int { return int(uint16(w)) }

// Now is the clock of all times in words.
func Now() int64 { return arena.Now() }
