// Package state is what a supervisor leaves to its successor: a file in the run directory, replaced in one step at each change, that
// names the live version, the workers and the ledger. Descriptors come to the successor by other ways (package supervisor,
// adopt.go); the file says what they are. It belongs to one boot of the machine, holds no configuration and no
// value of a variable, and is removed when the instance ends in peace.
package state
