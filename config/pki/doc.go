// Package pki reads what a configuration says about TLS: certificates, keys and OCSP responses, in PEM, base64 or DER, and
// OpenSSL's names of versions and cipher suites.
//
// It is part of the vocabulary of the configuration, and apart from package config because those who use what was
// configured read the same forms: workers, connections to upstreams, ACME. It opens no file, verifies no chain against
// anything, and no error of it holds any part of a key.
package pki
