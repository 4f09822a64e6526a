// Package load is clients that notice every request that is lost: traffic for tests of reloads, restarts and crashes, and the
// upstream that it is meant for. It knows nothing of pingap and works with any proxy in front of its Upstream.
//
// The clients never retry, never reconnect unseen, and each request that was begun ends as
// exactly one Outcome; after Stop as many have ended as were begun. What a client does, over plain connections:
//
//	Busy        keep-alive, a short pause or none, GET and POST in turns
//	Idle        keep-alive, with time to think in which the proxy may close the connection
//	Fresh       a connection for each request
//	Slow        the answer takes long: its head comes half way, and its body in two parts
//	Upload      the body takes long, of known length or chunked in turns
//	WebSocket   a tunnel that stays open; every message is numbered and has to come back
//	Events      an event stream with numbered events; one stream is one request
//	Loris       heads that never end: noise, which is counted and cannot fail
//
// and over TLS, with sessions that are resumed where the proxy lets them:
//
//	SecureBusy, SecureFresh, SecureWebSocket   as above
//	Streams     several requests at once on one connection of HTTP/2, GET and POST in turns, some of which take long
//	Calls       streams of messages both ways as gRPC has them; every message has to come back
//
// A connection that the proxy has closed before the client wrote anything on it is opened again, which HTTP allows and Reopened
// counts. One that is closed after the client wrote a request, without an answer, is a failure: that is the race which a drain has to avoid.
//
// A connection of HTTP/2 is left with the first GOAWAY. A request that the proxy refuses as not processed is begun anew elsewhere (RFC 9113,
// 8.7) and counted as moved, but for one of whose body something was sent: that cannot be had a second time, and is lost. So is a connection
// noticed that is led away in one step, where requests are on their way. A call that ends as unavailable is made again.
//
// Every request carries a key, client number and request number. The answer repeats it with the sha256 of the request's body, so
// that an answer meant for somebody else is seen, and the Upstream counts keys that arrive twice.
//
// It runs in a test or a tool, owns its goroutines until Stop returns, and prints nothing.
package load
