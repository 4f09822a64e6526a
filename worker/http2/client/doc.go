// Package client is the client side of HTTP/2 (RFC 9113): one connection to an upstream, shared by many requests. It owns the connection and
// the goroutine that reads it; it has no policy, dials nothing and retries nothing. It runs in workers.
//
// # The life of a connection
//
//	New ──► taking requests ──────────────► going away ──► closed
//	        Reserve, Open, Tick     GOAWAY, Drain   │         ▲
//	              │                                 └─ the last stream ends
//	              └─ Close, CloseIdle, an error, silence ─────┘
//
// A pool asks Room for a connection with a free slot, takes it with Reserve, and opens the stream. An error of Open means that nothing was
// sent. Tick has to be called every second or more often; all time limits are kept there.
//
// # The life of a stream
//
//	Open ──► Head ... Head ──► Read or Next ... io.EOF ──► Trailers ──► Release
//	   └────► Write ... WriteLast, CloseWrite or WriteTrailers
//
// Release is the last call and always needed: the stream is used again then. One goroutine may receive while another sends. After an
// error Unprocessed says whether the peer did nothing with the request, so that it may be sent again whatever its method.
//
// # Who does what
//
// The goroutine that reads handles a buffer full of frames under the connection's mu, and wakes whom they concern when it is through: one
// wake-up for a head with its body. It never writes to a transport that could block: then both peers might wait for each other.
//
// Who has frames to send appends them to the output under mu, and writes it out without mu if nobody else is doing so. With several
// streams open he yields once before, so that their frames join in. What a socket does not take at once is left to a goroutine that ends with it.
// DATA is queued only as far as the windows allow and little is waiting; what is left stays in the caller's memory (Stream.rest), and
// whoever opens a window or ends a write goes on with it (Conn.pumpLocked), in turns over the streams.
//
// On a socket, and on a TLS connection of worker/secure, the reader lives inside RawConn.Read as worker/proxy does, takes a buffer only when there is
// something to read, and is woken by Tick where the end came without an edge. Any other transport is read plainly; after two seconds
// without streams Tick interrupts the read, so that it goes on with a few bytes instead of a buffer. Such a transport has to survive a
// read deadline, as crypto/tls does.
//
// # What a peer can make us hold or do
//
// Bodies are bounded by the windows of stream and connection, heads by MaxHead and MaxFields, field blocks by frames and bytes, the output by
// outData and maxAcks, interim responses by number. Frames that lead to nothing draw on a budget (patience) that time and useful frames fill
// up. On a stream that we have reset no more may come than was on its way. A slow reader keeps bytes of its own window
// alone, so that it cannot stop others; with half of the connection's window unread the connection takes no new streams.
//
// # Errors
//
// What concerns one stream resets it (Malformed, TooLarge); what concerns the connection ends it with GOAWAY (Broken). Stream calls return
// *Error with the cause, os.ErrDeadlineExceeded where a deadline is over, io.EOF at the end. A response that came whole stays whole,
// whatever happens to the connection afterwards.
package client
