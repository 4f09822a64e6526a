// Package subfilter replaces text in response bodies.
//
// Where all filters look for texts they are applied while the body passes: no more is held back than the begin of a match that may end in the next
// piece. With a regex among them a body is held until it is complete. Memory is therefore bounded:
// a body longer than max_body passes unchanged then, and so does one that replacing would make longer than four
// times that. Bodies that mean something else after a replacement are left alone: encoded ones (gzip), parts
// (206), and event streams, which never end.
//
// A response whose body is taken is another representation than the upstream's: its ETag becomes weak, its digests and
// Accept-Ranges go.
//
// It runs in workers. A filter belongs to one response and owns the body it holds.
package subfilter
