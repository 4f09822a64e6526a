// Package mock answers requests with a fixed response: a place-holder for a service that is not there yet, or a
// page for maintenance. It runs in workers and owns nothing.
package mock
