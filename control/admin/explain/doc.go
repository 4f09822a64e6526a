// Package explain is the part of the admin interface that says what would become of a request, and in what order a server's locations are tried:
// POST /explain and GET /routes/{server}. It runs in control.
//
// It knows nothing of that itself: a worker has the configuration and the health that count, and makes the answers (package worker/explain), which
// are passed on as they come. It owns nothing.
package explain
