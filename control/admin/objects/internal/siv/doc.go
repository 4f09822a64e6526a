// Package siv is AES-256-GCM-SIV (RFC 8452), by which the original encrypts the texts of storages: with a nonce that is always the same, which this
// mode survives but for telling that two texts are the same. It runs in control.
package siv
