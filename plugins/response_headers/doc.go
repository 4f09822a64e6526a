// Package responseheaders changes the fields of responses that come from an upstream or the cache. It does not touch
// the fields by which connection and message are bounded; naming one of them is an error of the configuration.
//
// It runs in workers and owns nothing.
package responseheaders
