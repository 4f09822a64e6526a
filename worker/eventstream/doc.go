// Package eventstream follows a stream of server-sent events (HTML standard, section 9.2) that is passed on, just far enough to know
// whether it stands between two events. It keeps nothing of it. It runs in workers.
package eventstream
