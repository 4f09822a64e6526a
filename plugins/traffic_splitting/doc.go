// Package trafficsplitting sends a share of a location's requests to another upstream: by chance, or by a value that a client sends with
// each of its requests, so that it stays with one of the two.
//
// It runs in workers, owns nothing, and keeps nothing of a client.
package trafficsplitting
