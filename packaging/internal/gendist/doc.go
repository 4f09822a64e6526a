// Command gendist writes the manual pages and the completions of bash, zsh and fish, so that they cannot drift from the program:
// the command line comes from `pingap describe` on standard input, the keys of the configuration from package config. It is run
// when packages are built, never by the product:
//
//	pingap describe | go run ./packaging/internal/gendist -date 2026-01-31 DIR
package main
