// Package pebble runs the CA for tests that Let's Encrypt makes, and its DNS server, as processes beside a test. Both come as Go
// modules and are built outside of this one, so that go.mod stays ours. Only tests use it.
package pebble
