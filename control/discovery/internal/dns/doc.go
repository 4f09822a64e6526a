// Package dns looks up where names are: addresses (A, AAAA) and services (SRV, RFC 2782), with the time for which the answers hold. It
// runs in the control process, and is a stub: it asks recursive name servers, those given or those of /etc/resolv.conf, where the hosts file
// comes first.
//
// A Resolver is shared by all who look names up. It owns the cache, which keeps each answer for its TTL within bounds, joins equal
// questions that are asked at once, and bounds how many are on their way. A question goes to one server after the other, by UDP with EDNS,
// by TCP where the answer does not fit; a server that did not answer comes last for a while. What does not match the question is
// not an answer and is passed over.
//
// It follows aliases, verifies no signatures, and keeps nothing for those who ask: what to do when nothing is found is theirs to know.
package dns
