package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const firstFD = 3

// FD is a descriptor that the manager gave.
type FD struct {
	Name string
	FD   int
}

// ListenFDs returns the descriptors passed to this process: sockets of socket units, and what is in the store. They are
// close-on-exec afterwards, and the caller's. Nothing where they are meant for another process.
func ListenFDs(getenv func(string) string) ([]FD, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > 1<<16 {
		return nil, fmt.Errorf("LISTEN_FDS %q: not a number of descriptors", getenv("LISTEN_FDS"))
	}
	var names []string
	if text := getenv("LISTEN_FDNAMES"); text != "" {
		names = strings.Split(text, ":")
	}
	fds := make([]FD, n)
	for i := range fds {
		fds[i].FD = firstFD + i
		unix.CloseOnExec(fds[i].FD)
		if i < len(names) {
			fds[i].Name = names[i]
		}
	}
	return fds, nil
}
