// Package combinedauth lets only applications pass that are listed: each signs the time of its request with its secret, and may be held to
// certain addresses.
//
// It runs in workers and owns nothing. It remembers no request: one that was overheard can be repeated until its time is too far away.
package combinedauth
