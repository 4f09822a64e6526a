// Package inherit collects what a supervisor leaves to the next one, by whichever of three ways it comes: the service manager's descriptor
// store, the rescue sockets of orphaned workers, or a hand-over by the old supervisor itself. The result is the same, so that what
// follows is one routine (adopt.go in package supervisor). It runs in the supervisor, before its loop; every wait has the bound
// of the context it is given.
package inherit
