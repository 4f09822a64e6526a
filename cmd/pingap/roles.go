package main

// roles are the parts that this binary plays when pingap itself executes it.
// They are named by the first argument and are not for people.
func roles() map[string]func(args []string, s surroundings) int {
	return map[string]func([]string, surroundings) int{
		"control":         controlRole,
		"validate":        validateRole,
		"worker":          workerRole,
		"detached":        detachedRole,
		"sample-upstream": sampleUpstreamRole,
	}
}
