// Package socket makes listening sockets, non-blocking and close-on-exec from birth, so that no child inherits one by
// accident and no flag of a description that many processes share ever has to be changed. It runs in the supervisor. It looks
// up no names and owns nothing: the descriptors are the caller's.
package socket
