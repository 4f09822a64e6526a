// Package redirect sends clients to the right scheme or below a prefix.
//
// The Location it answers is made of the request's host and path. Both were checked when the request was read, and are
// checked here again: nothing of a request may begin a new line or another authority in a response.
//
// It runs in workers and owns nothing.
package redirect
