// Package subfilter replaces text in response bodies.
//
// A body is held until it is complete, as a match may begin in one piece and end in another. Memory is therefore bounded:
// a body longer than max_body passes unchanged, and so does one that replacing would make longer than four
// times that. Bodies that mean something else after a replacement are left alone: encoded ones (gzip), parts
// (206), and event streams, which never end.
//
// A response whose body is taken is another representation than the upstream's: its ETag becomes weak, its digests and
// Accept-Ranges go.
//
// It runs in workers. A filter belongs to one response and owns the body it holds.
package subfilter
