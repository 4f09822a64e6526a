package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"pingap/control/images"
)

// imagesRole makes pictures anew for workers, under limits.
func imagesRole(_ []string, s surroundings) int {
	signal.Ignore(unix.SIGPIPE)
	if err := images.Make(context.Background(), os.Stdin); err != nil {
		fmt.Fprintln(s.stderr, err)
		return exitFailed
	}
	return exitDone
}
