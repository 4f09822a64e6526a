// Package cache stores responses and answers with them. What HTTP says about it is in package worker/cache; here are the parameters, and what is done at
// which step:
//
//	Decide   finds what is stored: answers, or waits for another request with the same key, or goes on (with the conditions that validate)
//	Store    sees the upstream's response: stores it as it passes, joins a 304 with what is stored, or answers with a stale one
//	Rescue   answers with a stale response where the upstream gave none
//
// A request that goes on has a state, which ends with its exchange: whatever happens, nobody waits for a request that is gone.
//
// It runs in workers. Stores are kept by the process for all instances with the same settings, beyond applies. An instance owns one goroutine, which tells the other
// workers what unsafe requests have made invalid.
package cache
