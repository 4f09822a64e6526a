// Package admin is the admin interface over HTTP: it puts the routes of its parts together below "/api", serves the panel for everything else,
// and finds out who asks.
//
// It runs in the control process and knows nothing of sockets. Requests come two ways: from the unix socket of the run directory, where the caller
// says which user of the system asks (Local), and from workers, whose admin plugin passes them on (Passed), where somebody has to log in or show a
// token. It owns the limits on requests: how many at once, how long a body may be, how long an answer may take. What routes do is the
// business of those who made them.
package admin
