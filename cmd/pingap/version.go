package main

import (
	"runtime/debug"
)

// version of this source tree; the commit is stamped by the Go tool.
const version = "0.1.0"

// longVersion is what -V prints: pingap x.y.z (commit).
func longVersion() string {
	return "pingap " + version + " (" + commit() + ")"
}

// commit is the short hash that the build was made from, with a plus when
// files were changed, or "unknown" for a build outside of the repository.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	hash, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 8:
			hash = s.Value[:8]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	return hash + dirty
}
