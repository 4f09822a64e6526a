// Package cleartext finds out whether a client in the clear wants HTTP/2: by its preface (RFC 9113 section 3.3), or by asking for it in a
// request (RFC 7540 section 3.2, which RFC 9113 does not have any more). It runs in workers, and reads only.
package cleartext
