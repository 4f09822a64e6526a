// Package imageoptim sends pictures that are smaller than those of the upstream and look the same.
//
// Making a picture anew takes longer than a client should wait, and what comes of it decides about the head, which is sent before the
// body has come. So results are remembered: the first response with a picture passes as it is and is read along; another process makes the
// picture anew meanwhile; from then on responses with that same picture get what came out, or pass where nothing was gained. A picture is
// the same when host, target, validators (ETag, Last-Modified) and length are. Without a validator it always passes.
//
//	imageoptim.go  parameters
//	response.go    which responses, what becomes of their heads
//	filter.go      the filters: read along, replace
//	results.go     what is remembered, within max_memory, the longest unused goes first
//
// A response that is read along must not be stored in its old form by a cache: between the steps upstream_response and response it has a
// Cache-Control: no-store, which the client never sees.
//
// The package runs in workers. An instance owns the goroutines that wait for pictures, at most learners, until Close.
package imageoptim
