// Package rundir is the run directory of an instance: its lock, the control socket and that of the admin interface, pid files, the rescue sockets of workers, and the sign
// that a stop is meant for good. It runs in the supervisor, which owns the directory as long as it holds the lock; a successor gets
// the lock itself and not only the path.
package rundir
