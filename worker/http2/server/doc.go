// Package server is the server's side of an HTTP/2 connection (RFC 9113): streams, flow control, limits, priorities and the
// way to an end. It has no policy and no sockets: bytes of the client go in by Feed, bytes for it go out by a Writer,
// and time comes by Tick.
//
// # Use
//
//	e := NewEngine(options)     what connections share
//	c := e.NewConn(handler, w)  one connection
//	c.Start()                   our settings
//	c.Feed(p)                   whenever bytes have come; requests are handed to the handler
//	c.Tick(now)                 now and then
//	c.Shutdown(), c.GoAway()    the two steps of draining
//	c.Close(err), c.Wait()      the transport is gone
//
// A handler starts a goroutine for each Stream. It reads the body, writes head, body and trailers, and calls Release.
//
// # A stream
//
//	           HEADERS                      END_STREAM from the client
//	(idle) ───────────────▶ in the table ──────────────────────────────▶ remoteEnded ─┐
//	                             │  ▲ our END_STREAM queued: localEnded               ├─▶ out of the table
//	                             │  └─────────────────────────────────────────────────┘
//	                             └─ RST_STREAM of either side, or the connection ends: dead
//
// Only streams in the table are reached by frames. A stream is used again after Release, when it has left the table: a late
// frame finds nothing. What such a frame means is told by closedRing.
//
// # Locks and goroutines
//
// One mutex guards a connection. Feed holds it for as long as it parses; nobody waits for the transport with it.
// Frames are gathered in one queue, and whoever finds that nobody writes does so, without the lock, until the queue is
// empty or it has written twice; a goroutine made for it then goes on. Feed, Tick and the steps of draining never write
// themselves: a client may be blocked writing until it is read.
//
// Data is queued up to Options.Output bytes. A Write that finds no room, or no window, leaves its bytes to whoever makes room: these are
// copied into the queue in the order of urgency (RFC 9218), and the writer wakes when all are.
//
// # Limits
//
// Whatever a client can make grow is bounded by Options. Streams reset early, frames that carry nothing and empty frames each have a budget
// that time refills; the end is ENHANCE_YOUR_CALM. Trees of priorities (RFC 7540) are not built at all. A stream whose
// handler has not let go of it counts, reset or not. Bodies lie here up to the receive windows.
//
// It runs in workers.
package server
