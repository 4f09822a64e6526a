// Package discovery finds where the backends of upstreams are, and says when that changes: once for names of static upstreams, by the TTL
// of the answers for names of DNS, A, AAAA and SRV, and by the events of the docker engine for containers with a label. It runs in the control
// process.
//
// A Finder is shared by all upstreams: it owns the resolver with its cache and the one client of the engine. Finder.Run watches one
// upstream, and owns a goroutine for each name of it until it ends.
//
// A source that flaps is made calm here, and never empties an upstream by mistake:
//
//	no answer, an empty one           what was known stays
//	there is no such name             it goes when that was said twice over 30 s, and only while the upstream has other backends
//	an address is missing             it stays for two TTLs, 75 s at most: answers of some servers rotate through a larger set
//	one family, one target fails      what was known of it stays, the rest changes
//	a container stops                 it goes at once
//	a container is gone, no event     it goes when the engine's list was twice without it
//	a container restarts, again       after more than 3 starts in a minute it is back only after it ran for 5 s
//	the engine is down                what was known stays
//
// It neither checks backends nor knows what operators want, remembers nothing over a restart (Update.Complete says when there is
// nothing left to miss), and tells nobody but its caller.
package discovery
