// Package rules holds the tests that keep the shape of the project: which folder may import which, sizes, what no package may
// have. It reads the source tree and exports nothing. docs/architecture.md gives the reasons; changing a rule here needs one in
// docs/decisions.
package rules
