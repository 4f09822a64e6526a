// Package fleet keeps what nodes have in common that read one configuration from etcd and get certificates from CAs together: the account
// keys, the certificates, the budget, and answers to challenges. It runs in the control process, implements acme.Shared, and owns a
// connection of its own. It speaks to no CA and reads no configuration.
//
// # Keys, below PATH-state/acme/
//
//	lock                who gets certificates: the name of the node and a random id, in clear. It lives as long as that node's lease
//	nodes/ID            a node that takes part, with the revision up to which its workers have all answers; lives as long as its lease
//	check               a known text, sealed: a node with another secret goes no further
//	files/NAME          a file of package acme, sealed
//	challenges/DIGEST   an answer to a challenge, sealed; lives as long as the lease of who holds the lock
//
// # A session
//
//	connect ─> check ─> lease ─> take what is there ─> nodes/ID ─┬─> follow: read what has changed, publish, say so in nodes/ID
//	   ^                                                         └─> no lock there: make it, read everything, lead
//	   └── something failed, the lease ran out, or the lock is another's: the session ends, and with it the lead
//
// Whoever leads writes by transactions that need the lock as it was made: one that was stopped for a while cannot write any more when it
// goes on, and as the budget is written before each order, cannot order either. The lead ends by the clock of its node before the lease does
// by that of etcd.
//
// # Secrets
//
// Values are sealed by AES-256-GCM under a key that HKDF derives from the secret of the nodes and the path; the name of the key is part of it,
// so that none can be put in another's place. Who may only read etcd learns how many certificates there are, and how large. Who may write it can
// bring back an older value, or remove what is there; that costs orders, and no key.
package fleet
