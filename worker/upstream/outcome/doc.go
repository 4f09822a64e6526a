// Package outcome judges backends by what came of requests: it counts failures, keeps breakers, says who is ejected and how much of its
// share a backend gets that came back, and which failures may be tried again. It runs in workers.
//
// What it knows of a backend is in the backend's record (package arena, its words in arena/backend), which all workers change: a failure
// seen by one counts for all, and a half-open breaker lets out no more probes than it should over all of them. The Rules are compiled from
// one upstream's configuration and never change. It owns no memory, starts nothing, and sees no requests, only outcomes.
package outcome
