// Package ping answers a path with "pong": a probe that tells whether this proxy is alive, without any upstream.
// It runs in workers, owns nothing, and does not look at backends.
package ping
