// Package queue is the line in which the requests of a worker wait for a backend of an upstream, when none is available. It
// owns the order and the bounds: how many may wait, and for how long. It runs in workers.
//
//	Wait ──► full: ErrFull
//	  │
//	  ▼
//	in line ──► first ──► tries, when something changed and every few ms ──► has what it waited for
//	  │           │
//	  └───────────┴─────► late: ErrLate; its context has ended: the error of that
//
// Only the first in line tries, so that a place that becomes free wakes one request and not all of them, and nobody
// overtakes. Who has tried with success leaves the line, and the next one tries at once.
//
// It does not know what is waited for.
package queue
