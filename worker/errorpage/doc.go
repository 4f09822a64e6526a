// Package errorpage renders the bodies of error answers from the operator's template, or the built-in one. It runs in workers.
package errorpage
