package main

import (
	"fmt"

	"pingap/supervisor"
)

// handoffFlag asks a binary which hand-over it speaks.
const handoffFlag = "--handoff-version"

// roles are the parts that this binary plays when pingap itself executes it.
// They are named by the first argument and are not for people. describe is for the build of packages.
func roles() map[string]func(args []string, s surroundings) int {
	return map[string]func([]string, surroundings) int{
		"control":           controlRole,
		"validate":          validateRole,
		"images":            imagesRole,
		"worker":            workerRole,
		supervisor.RoleTidy: tidyRole,
		detached:            detachedRole,
		"sample-upstream":   sampleUpstreamRole,
		handoffFlag: func(_ []string, s surroundings) int {
			fmt.Fprintln(s.stdout, handoffVersion())
			return exitDone
		},
		"describe": describeRole,
	}
}
