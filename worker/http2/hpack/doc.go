// Package hpack compresses and expands the field blocks of HTTP/2 (RFC 7541), for the server and the client engine alike.
//
// A Decoder and an Encoder belong to one connection and to the goroutine that reads, or writes, it: each holds the dynamic table
// of one direction. Both take memory from the caller and keep only their table, which grows with use and never above what
// the settings allow. After warm-up nothing allocates. There are no maps: well-known names carry small numbers (message.Name).
//
// # What a peer can make us hold or do
//
// A table holds at most its limit in names and values, and an entry of 24 bytes for every 32 bytes of it. A field list over its Limit
// is decoded to the end, since the table must stay in step, but nothing more is kept; a field that the table repeats costs no copy then, so
// a block costs no more than its length.
//
// What a literal says stands in the caller's memory while it is decoded, so that grows by 8/5 of a block's length at most, and what is not kept is
// given back. How long a block may be is the engine's to say.
//
// # In step
//
// A block that was encoded has to be sent, and one that was received has to be decoded, whatever becomes of its stream: the next one builds on it.
//
// # What is not compressed
//
// Values that change with every message stay out of the table, and what may be secret is marked as never to be
// indexed, by us or by anyone behind (section 7.1). Of the rest a value goes into the table when it comes the second time.
//
// The package knows no frames and judges no names or values: it runs in workers, below the engines.
package hpack
