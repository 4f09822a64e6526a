// Package client is the client side of HTTP/2 (RFC 9113): one connection to an upstream, shared by many requests.
package client
