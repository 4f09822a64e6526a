// Command testsummary runs go test and sums up what it did: failures with their output, every skipped test by name with its
// reason, and one closing line "N passed, N failed, N skipped". It exits 1 when a test failed, did not build, or none ran.
//
// Arguments are those of go test; "--" separates several runs that are summed up together:
//
//	testsummary ./... -- -race ./ipc ./arena
//
// A few tests that fail among the others are run again, twice and alone: what passes both times is "unsteady" and shown as such
// with its first output, not failed (docs/decisions/0021). A data race, a panic, what does not build and what stays failed
// fail the run.
//
// Flags are written with "=", -timeout=20m, so that they are told from packages. It is a tool of `make test`, runs outside of pingap's processes, and keeps nothing.
package main
