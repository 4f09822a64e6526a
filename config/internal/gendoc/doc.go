// Command gendoc writes docs/configuration.md from the tree of package config, so that
// the reference cannot drift from what is parsed. It is run by developers, never by the
// product:
//
//	go run ./config/internal/gendoc docs/configuration.md
package main
