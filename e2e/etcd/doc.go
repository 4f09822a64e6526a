// Package etcd runs an etcd of the system for tests: one member on loopback, which is killed, restarted and restored from a snapshot as told.
// It is a process of its own, and nothing of it is in the binary.
package etcd
