// Package table finds the open streams of an HTTP/2 connection by their numbers. Who owns a table locks it. It runs in workers.
package table
