// Package proxyproto reads and writes the header of the PROXY protocol, versions 1 and 2 (HAProxy's specification), that tells who is at the
// other end of a proxied connection. It turns bytes into a Header and back; sockets, time limits and whom to believe are the caller's.
//
// Parse never guesses: a listener that expects a header gets one or refuses the connection, because who can choose to send one can
// choose its address. For the same reason the caller asks only connections from trusted addresses.
//
// A header is bounded: MaxV1 and MaxV2 bytes. Values of a Header are views of the bytes it was read from. Fields that only UDP or unknown
// families could fill are not kept; such a header is Local, as the specification lets receivers do.
//
// It runs in workers. Nothing here allocates but the two addresses of a line of version 1 while they are read.
package proxyproto
