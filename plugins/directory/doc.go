// Package directory serves files below a directory: conditional and range requests, index files, listings, and variants that were compressed
// before.
//
// # From a path to a file
//
//	path of the request --NormalPath--> segments --escapes decoded, once--> name below the root --open--> regular file or directory
//
// What could be read in two ways is not looked for: a path that leads above its root, and one with an escaped slash or NUL. Matching of
// locations sees the same normal form, so no spelling evades one. The name is opened below the root at each request: a root that is replaced,
// by a link that is turned say, is served anew at once. Without follow_symlinks an os.Root keeps links inside.
// Opening never waits, whatever the name is (O_NONBLOCK), and what is no regular file is closed again.
//
// # What is answered
//
// Preconditions of RFC 9110 are judged in the order of its section 13.2.2, then Range. A file goes out as plugins.FilePart: this package reads
// no contents but those of directories, and of small files that are asked for again (memory.go). It runs in workers; between requests it
// owns that memory and no descriptor.
package directory
