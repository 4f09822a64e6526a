// Package places tells on which line of a TOML document each key and array element stands.
// The TOML library reports where a syntax error is, not where a key is. The package reads
// text only, refuses nothing but nesting, and is used by Load, in the validating process.
package places
