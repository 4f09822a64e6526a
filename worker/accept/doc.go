// Package accept takes connections from listening sockets that the supervisor opened, and hands them to the engine. It owns
// this process's copies of the sockets, the goroutine on each, and the count of connections that says whether more may come.
// It runs in workers; it binds nothing, and does nothing to a socket that other processes would notice: their
// workers and the supervisor have the same one, so neither flags nor shutdown(2).
//
// # The end of a listener
//
//	Close   at once: what waits in the kernel's queue is left to the other processes that have the socket
//	Drop    nobody else may be there to take it: what waits is accepted first, then the copy is closed
package accept
