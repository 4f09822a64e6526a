package main

import (
	"context"
	"fmt"
	"os"

	"pingap/control"
)

// validateRole reads and judges a configuration for control, under limits.
func validateRole(_ []string, s surroundings) int {
	if err := control.Validate(context.Background(), os.Stdin, configOptions()); err != nil {
		fmt.Fprintln(s.stderr, err)
		return exitFailed
	}
	return exitDone
}
