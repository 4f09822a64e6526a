// Command testsummary runs go test and sums up what it did: failures with their output, every skipped test by name with its
// reason, and one closing line "N passed, N failed, N skipped". It exits 1 when a test failed, did not build, or none ran.
//
// Arguments are those of go test; "--" separates several runs that are summed up together:
//
//	testsummary ./... -- -race ./ipc ./arena
//
// It is a tool of `make test`, runs outside of pingap's processes, and keeps nothing.
package main
