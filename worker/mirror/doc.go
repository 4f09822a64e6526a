// Package mirror sends copies of requests to a second upstream and throws the answers away. It runs in workers.
//
//	Begin ──► Body ... Body ──► Send ──► on a goroutine of its own: a backend, a connection, the answer
//	            └──► Drop
//
// What is copied must not be felt: a copy is made of memory alone, never waits, and is left out where too many are on their
// way, where they hold too much memory, or where the body is longer than the location allows. Copies go over the connections
// of their upstream, HTTP/1 or HTTP/2, and tell its backends how they ended, as any other request does. They are not
// retried, and not logged.
//
// A Copy belongs to who began it until Send or Drop. The Sender owns what is on its way; Close gives that a moment and cuts it
// then.
package mirror
