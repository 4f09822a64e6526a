// Package route finds the location of a request, and holds what a location does to the request
// alone: rewriting its path and setting fields for the upstream. It also finds the client's address
// behind trusted proxies. It runs in workers.
//
// # What it owns
//
// A Location is compiled once from its configuration and never changes; servers share it, and a new
// configuration that left it alone takes it over. A Table is the index of one server's locations;
// it never changes either, so that any number of goroutines match without a lock. Everything that
// can fail fails in Compile.
//
// # How a match is found
//
// Locations are ranked once: by weight, then by their order in the server. Among those whose path,
// host and conditions match, the best rank wins. The host selects buckets (exact name, wildcards by
// walking the suffixes, any, and one for all expressions); in each, a radix tree over literal paths
// yields the candidates whose prefix is there. Expressions hang in the same trees, under the literal
// text that they must begin with, and are tried last, only where their rank is better than the best
// so far. The cost grows with the length of host and path, not with the number of locations.
//
// # What it will not do
//
// It reads no configuration file, knows no upstream, and never answers a request.
package route
