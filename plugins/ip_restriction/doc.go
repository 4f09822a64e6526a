// Package iprestriction lets clients pass, or refuses them, by their address.
//
// The list becomes sorted ranges that do not overlap, so that thousands of networks cost a binary search each request.
//
// It runs in workers and owns nothing. Which address is the client's is not decided here but by trusted_proxies.
package iprestriction
