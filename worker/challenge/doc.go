// Package challenge holds what a worker is told beside the configuration: answers to the challenges of a CA (ACME, RFC 8555), and
// the certificates that came of them. It runs in the worker. One goroutine changes a Book, requests and handshakes read it without a
// lock. It asks nobody for anything: what is not in the book does not exist.
package challenge
