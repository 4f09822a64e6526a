// Package upstream knows the backends of an upstream: which addresses they have, which one is next,
// and the connections to them. It runs in workers.
//
// # What it owns
//
// An Upstream is built from one configuration and lives as long as that stays the same, over any
// number of reloads. It owns the set of backends (an immutable value behind one atomic pointer,
// replaced by SetEndpoints, with what control says of them) and the pool of idle connections.
// Close empties the pool; requests that still hold the Upstream may go on, their connections are
// closed when they are put back.
//
// # The choice
//
//	Pick ──► sticky cookie ──► primaries ──► backups ──► fail_open, if none is healthy ──► nil
//	  │
//	Begin ──► ... ──► Done: what came of it ──► End
//
// Health and what operators want are in the set. Ejection, breaker, places and the slow start are asked of
// each backend that comes up, and where none of them is configured, of none. What all workers have to know is in
// records (package arena, arena/backend): Done writes there, by the rules of package outcome. A backend without a
// record, or whose record has gone to something else, counts in this process alone. A record may change while
// requests are in flight: see lease.
//
// # The life of a connection
//
//	Dial ──► in use ──► Put ──► idle ──► Take ──► in use ...
//	            │                 │
//	         Discard           Sweep: idle too long, closed by the peer, or
//	                           beyond the bound of the pool: closed
//
// Dial is over when a request can be sent: after the PROXY header and the handshake of TLS. Connections with
// HTTP/2 are shared by requests (Share, Release) and do not go through the pool. Where not all
// connections to a backend are alike, a Target says which a request may use.
//
// A Conn is in use by one goroutine at a time and idle connections belong to the pool, so that the
// sweeper never touches one that is in use. What is readable on an idle connection is the end of
// the stream or an answer that nobody asked for: either way it is not used again. With TLS it may be a
// ticket or new keys, which are taken in.
//
// # What it will not do
//
// It speaks no HTTP, resolves no names but those of transparent discovery, checks no health, which control does, and
// retries nothing by itself: it says what may be. It opens no files: certificates come with the configuration.
package upstream
