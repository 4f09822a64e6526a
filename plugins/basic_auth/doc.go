// Package basicauth asks for a user and password (RFC 7617). The credentials that open are listed in the
// configuration; of them only digests are kept, and comparing takes the same time whichever entry is right.
//
// It runs in workers and owns those that wait: closing it ends their delay. It does not count failures: an address that guesses is slowed by delay, and
// stopped by the plugin limit.
package basicauth
