// Package limit refuses requests above a rate, or above so many at a time, for each client address, header, cookie, query parameter or path.
//
// A rate is kept in the arena (arena.Allow), or with a storage in Redis by one script for each decision, and requests under way in the arena
// (arena.Acquire): both are exact over all processes, and outlive the instance. What is kept is found by a hash over the plugin's name and
// the client's value.
//
//	client.go   whose request it is
//	rate.go     type = "rate"
//	inflight.go type = "inflight"
//	fields.go   what clients are told
//	store.go    Redis, and when it is away
//
// It runs in workers. The one goroutine it has is that of a storage which is away, and Close ends it.
package limit
