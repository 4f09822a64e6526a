// Package keyauth lets only requests with a listed key pass, in a field or a pair of the query. Of the keys only digests are
// kept, and comparing takes the same time whichever is right.
//
// It runs in workers and owns those that wait: closing it ends their delay. It does not count failures: an address that guesses is
// stopped by the plugin limit.
package keyauth
