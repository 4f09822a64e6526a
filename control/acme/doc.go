// Package acme gets certificates from a CA that speaks ACME (RFC 8555), and renews them. It runs in the control process.
//
// It owns the account keys, the issued certificates, and what was spent of the CA's limits: a folder of files, closed to
// all others. It answers no challenge itself: what workers must answer is handed to a Publisher, which returns when all of
// them have it, and only then is the CA told. It reads no configuration (Wanted is what it is given), no environment,
// and it is never in the way of traffic: nobody waits for it but its own goroutines.
//
// # The life of a certificate
//
//	Update ─> job ─> (stored? publish it) ─> wait until due ─> attempt ─> store, publish ─> wait until due …
//	                                              ^                │
//	                                              └── back-off ────┘ failed: says why, and when it tries again
//
// Due is when nothing is stored, or the end is near (plan.go), but not before the back-off of the certificate ends
// (1 minute, doubled by each failure up to a day) and the budget allows an order. Both are on disk: a restart forgets
// nothing, and a loop of restarts cannot use up the CA's limits.
//
// # An attempt
//
// A certificate of one name by http-01 or tls-alpn-01 is got by autocert (autocert.go), anything else by x/crypto/acme itself
// (order.go). Both go through one wire (wire.go), a RoundTripper that lives as long as the attempt: it asks the budget before each order
// and each finalisation, hears every refusal, hides challenges of other kinds, bounds what the CA sends, and ends
// everything when the attempt is over. docs/decisions/0007-acme.md has the reasons.
//
// # Files
//
//	accounts/ID.json      the account key, of a directory and external account; a damaged one is an error, never replaced
//	certificates/ID.json  chain and key in one file; ID is of the directory and the names, so that a renamed table in the
//	                      configuration, or names that were changed and changed back, cost no new certificate
//	state.json            the budget's events and the back-off of each certificate
//
// # Many nodes
//
// With Options.Shared the same files are those of all nodes. One of them at a time leads (Lead): it alone makes attempts, and writes what
// it writes to its folder for all nodes as well, before it counts. The others take certificates as they come (Adopt), and have their workers
// answer challenges. docs/decisions/0030-certificates-of-many-nodes.md has the reasons.
package acme
