package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"pingap/supervisor/orphans"
)

// reapOrphans does what process 1, as in a container, has to: it waits for processes whose parents have died. It returns the end of it.
func reapOrphans() (end func()) {
	dead, stop, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(dead, unix.SIGCHLD)
	go func() { // ends with stop
		defer close(ended)
		orphans.Reap(dead, stop)
	}()
	return func() {
		close(stop)
		<-ended
		signal.Stop(dead)
	}
}
