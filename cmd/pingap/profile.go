//go:build profile

package main

import (
	"os"
	"path/filepath"
	"runtime/pprof"
)

// startProfile writes what the process computes with until stop is called into a file of its own below pingap-profiles in the directory for
// temporary files, if that is there. `make profile` makes pingap.pgo of them.
func startProfile() (stop func()) {
	f, err := os.CreateTemp(filepath.Join(os.TempDir(), "pingap-profiles"), "*.pprof")
	if err != nil {
		return func() {}
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return func() { f.Close() }
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}
