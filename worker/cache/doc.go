// Package cache is the HTTP of a shared cache (RFC 9111) and the two places where it keeps responses: memory, and files that all workers
// share. The plugin "cache" has the parameters and the steps; what may be stored, for how long, who gets it and what is still
// being fetched is decided here.
//
// # A response
//
//	control.go    Cache-Control of responses and requests; every value a peer can send has one reading
//	policy.go     may this be stored, how long is it fresh, may it be used stale (sections 3, 4.2, 5.2)
//	head.go       what is kept of a head: cleaned fields, times, validators; freshen.go joins a 304 with it (3.2)
//	key.go        what makes two requests ask for the same; vary.go the fields that a response names besides (4.1)
//	judge.go      what a stored response is good for now: fresh, stale and allowed, to be validated (4.2.4, 5.2.1)
//	reply.go      the response for one client: 200, 304, 206 or 416 (4.3.2; RFC 9110 sections 13, 14)
//
// # A fill
//
//	        first request           others
//	           │ leads                │ join
//	           ▼                      ▼
//	flight:  waiting ── head ──► filling ── End(complete) ──► stored
//	           │                      └──── cut off, too long ──► given up
//	           └ not to be stored ──► over: all go on themselves
//
// One request of a worker leads; the others wait for its head and then read along while the body comes (fill.go). With files a lock on a byte of
// one file does the same over all workers (lock.go); the kernel frees it with its owner.
//
// # Stores
//
// Memory (memory.go) is bounded in bytes by otter, and belongs to one process. Files (file.go, files.go) are written under another name and
// renamed; lengths and checksums make a torn file a miss. The sum of their bytes is a counter that all workers map (usage.go), and whoever finds it too high drops
// what was used longest ago (sweep.go).
//
// It runs in workers. It knows no plugin, opens no connection, and logs nothing.
package cache
