// Package etcd speaks to etcd: it reads all keys below a path as they were at one revision, says when they have changed, and writes by
// compare-and-swap. It runs in the control process, and in the command line where that copies configurations.
//
// It owns the connection, its time limits, and what it takes to notice that a watch has gone blind. It knows no TOML and no layout, decides
// nothing, and keeps nothing: what is done with what was read is its caller's business (packages source and control).
//
// # A watch that has gone blind
//
// A stream that is silent may be one where nothing happens, or one that will never tell anything again. So a small question is asked each
// few seconds (Probe), and Follow ends with an error, upon which the caller reads everything anew:
//
//	the stream is closed, or the history it needs was compacted    the stream says so
//	no answer, no leader                                            the question fails
//	restored from a snapshot: the revision, the term of raft or     the answer is older than what was read before
//	the id of the cluster is not what it was
//
// # Keys
//
//	PATH/basic.toml, PATH/servers/NAME.toml, …      the configuration
//	PATH-history/KEY/MODREVISION-UNIXSECONDS        what a key held before it was overwritten, where history is wanted
//	PATH-state/acme/…                               what nodes have in common of certificates (package fleet)
//
// Everything asked for ends with a slash behind PATH, so that keys of the history are never read or watched as configuration.
package etcd
