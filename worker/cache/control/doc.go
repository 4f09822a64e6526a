// Package control reads Cache-Control and Pragma (RFC 9111 section 5). Every value that a peer can send has one reading: of a number given twice the lower one
// counts, one that cannot be read means stale, and what stands inside quotes is no directive.
//
// It runs in workers, and knows nothing of what is stored.
package control
