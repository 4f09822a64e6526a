// Package proxy is the life of one request in a worker, from the bytes on the client's connection
// to the access log line. It ties the engine (worker/http1), the location table (worker/route), the
// backends (worker/upstream) and the plugins together.
//
// # The life of a request
//
//	1 conn.go      a connection is served by one goroutine; bytes are read when the socket has some
//	2 request.go   a head is parsed; what is malformed is answered and the connection closed
//	3 serve.go     the site is pinned; the location is found; limits; early plugins
//	4 serve.go     rewrite; request plugins; proxy_upstream plugins (chain.go); each may answer (answer.go, content.go, sendfile.go)
//	5 forward.go   a backend is picked (choose.go) and a connection taken or dialled; retries by rule (retry.go)
//	6 upstream.go  the request is written and the response head read, inside one poller callback
//	7 response.go  response plugins, with the Storer between them (store.go); how the body is framed for this client
//	8 relay.go     the body is passed on: verbatim, re-framed, filtered (filter.go), or spliced (splice.go)
//	9 finish.go    one record feeds the access log and the counters; the connection is used again
//
// Before step 1 stand the PROXY header (proxyheader.go) and the TLS handshake (via.go). A connection of HTTP/2 becomes a mux (mux.go); each of
// its streams has a conn of its own from step 2 on (stream.go). Towards backends the streams of shared connections take the
// place of connections (shared.go, upstreamstream.go). Calls of gRPC differ in how errors are answered (call.go).
//
// Where no backend is available, requests wait in the queue of their upstream (worker/queue). Every backend that was picked is told how the
// attempt ended, once: only what is its own fault counts as failure (retry.go). Clients get the cookie that brings them back (sticky.go),
// and copies of requests go to a second upstream (mirrored.go, worker/mirror).
//
// What plugins may besides deciding: their answers may be files and streams, and pass the plugins of the location; a Storer's takes the place of
// the upstream's or of an error, and its filter may want a body whose client has left; a request may go up in the background for it alone
// (refresh.go). Instances in shadow mode get copies (shadow.go). Filters and whatever waits for the end of an exchange hear of it once, however
// it ends (endExchange in chain.go).
//
// A request that is only to be explained is rehearsed (rehearse.go): it takes steps 3 and 4 by the same code, and ends where 5 begins. Whoever adds
// an effect to these steps looks whether the session has a rehearsal.
//
// Bodies of requests that are not complete with their head go up by a goroutine of their own
// (upload.go); an upgraded connection becomes a tunnel (tunnel.go).
//
// # Inside the callback
//
// A read that finds nothing costs a system call. The connection's goroutine therefore lives inside
// syscall.RawConn.Read: the callback reads until the socket is drained, parses, serves, and returns
// false to wait for more. The request to the upstream is written inside the Read callback of the
// upstream's connection, so that the wait for the answer is registered before the answer can come.
// Three rules follow. The callback holds the read lock of its socket: splice, tunnels and uploads
// happen outside. The poller is edge-triggered: the callback returns false only when a read came up
// short or empty after the last readiness. A FIN may come with the data before it and raise no edge
// of its own: where a message is incomplete, read on until the socket says EAGAIN or end.
//
// # Time
//
// No deadline is set per request. Each connection notes what it waits for, since when and until when
// (wait.go); one goroutine looks over all of them ten times a second (sweep.go), and interrupts those
// that are overdue, whose client has left, or which are idle long enough to be parked (park.go).
//
// # Ownership
//
// A session holds the buffers and heads of the request in process; a connection has one only while
// it works. Everything in a session belongs to the connection's goroutine; an upload's goroutine
// owns the client's read side until it has been waited for.
package proxy
