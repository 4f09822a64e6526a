// Package backend says what the words of an arena's records mean where a record belongs to a backend or an upstream. Workers change
// them (worker/upstream), control shows them; it runs in both and owns nothing.
//
// Every process changes the words with atomic operations and without locks, so a killed one leaves none behind. A word may hold rubbish:
// whoever reads a time bounds it by the length that its configuration gives, and no reader believes a count more than it can repair.
//
// # The breaker
//
//	        failures in a row, or their share
//	CLOSED ──────────────────────────────────► OPEN
//	  ▲                                        │  ▲
//	  │ successes                       waited │  │ one fails
//	  └───────────────── HALF_OPEN ◄───────────┘  │
//	                         └────────────────────┘
//
// Its word holds the state, the number of the state, the probes that are out and the successes so far. A probe remembers the number
// of the state that let it out, and counts for no other. When all probes have been out for as long as the breaker stays open, they are
// taken for lost, with whoever sent them: the number goes up, and the next one is let out.
//
// # Times
//
// They are on CLOCK_MONOTONIC of the host (Now): one clock for all processes, which goes on over restarts of any of them and does not jump.
package backend
