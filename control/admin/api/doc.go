// Package api is what the parts of the admin interface have in common: what a route is, who asks, and the forms of answers and errors.
//
// Each part (objects, live figures, log lines, explain) gives a list of Routes; package control/admin puts them together, finds out who asks,
// and lets only those through who may. It runs in the control process. No state lives here.
package api
