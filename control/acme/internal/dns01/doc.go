// Package dns01 puts TXT records into zones of DNS providers, for the challenge dns-01. It is used by package acme in the
// control process. It asks no resolver and waits for nothing: whether a record is seen is the caller's business.
//
// Credentials come in a URL, as configurations have always named them, and never appear in an error.
package dns01
