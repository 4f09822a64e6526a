// Package acceptencoding narrows what a request accepts as Content-Encoding to what is wanted here, in the order that is wanted here. What comes
// after it, compression and upstreams, sees the narrowed list.
//
// It runs in workers and owns nothing.
package acceptencoding
