// Package routines has goroutines that are used again. A goroutine begins with a small stack, and what serves a request needs a larger
// one: growing it, by copying, costs a fifth of a short request over HTTP/2. Here it has grown already.
//
// It runs in workers, and knows nothing of what is done on it.
package routines
