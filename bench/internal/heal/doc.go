// Package heal measures what backends that heal cost this build: active health checks of many backends, the rules of breaker, ejection, sticky
// cookies and retries on each request, and changes by discovery. It runs in the bench, which gives it the means to start programs and to
// make load, and prints what comes of it.
package heal
