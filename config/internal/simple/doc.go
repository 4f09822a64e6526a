// Package simple reads the part of TOML that large configurations are made of: tables, strings
// with no escapes but quotes and backslashes, integers, booleans and lists of strings. It is many times as fast as the
// library and judges nothing: at the first thing beyond that part, right or wrong, it gives up,
// and the library has the document. What it does read equals what the library makes of it, which
// a fuzz target holds. It is used by Load, in the validating process.
package simple
