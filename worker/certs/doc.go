// Package certs knows which certificate a TLS client gets, and makes the settings that crypto/tls serves a server with. It
// runs in workers. It opens no file: certificates, keys, CAs and OCSP responses are in the snapshot, what ACME issued and the
// keys of session tickets come as state.
//
// # Choosing a certificate
//
// A Set holds the certificates of a configuration by name, and never changes. Live is what handshakes look at: the set of the
// live configuration with what was issued since.
//
//	name sent by the client, in lower case --> the name itself --> *.rest --> default --> none
//	of those under one name                 --> the first that the client supports: ECDSA, Ed25519, RSA
//	of a CA                                 --> a certificate signed for the name (authority.go)
//	none                                    --> the alert unrecognized_name, counted, and logged now and then
//
// Without a name in the hello only the default is left. A table of the configuration that parses the same as before (by its
// hash) is taken over from the set before, so that a change costs what changed.
//
// # Session tickets
//
// Tickets seals session states with keys that all workers of all generations share (tickets.go). Servers with client
// certificates have tickets of their own: what one CA's client proved to one server is no proof to another.
package certs
