// Package compression compresses response bodies with zstd, brotli or gzip, as far as the client takes one of them, and decodes bodies
// that it does not take.
//
// # Which response
//
//	accept.go   what the client takes: Accept-Encoding with its weights (RFC 9110 section 12.5.3)
//	media.go    which media types are compressed
//	head.go     which responses are, and what becomes of their heads
//	encoder.go  encoders by coding and level, what each costs in memory, and where they wait to be used again
//	encode.go   the filter that compresses
//	decode.go   the filter that decodes, within bounds
//
// The decision falls in BodyFilter, behind all that other plugins do to the head. A response that could be compressed has
// Vary: Accept-Encoding, compressed or not. One that is compressed is another representation than the upstream's: its ETag becomes weak,
// digests, Content-Length and Accept-Ranges go.
//
// # Memory and time
//
// An encoder belongs to one response while it passes, and then to a pool. All that are in use by an instance are counted against
// max_memory: where that is reached, responses pass as they came. Encoders work on the goroutine of the request and have none of their own;
// a decoder runs as a coroutine of it. A filter keeps the exchange until its End, to record there what it took and gained.
//
// The package runs in workers.
package compression
