package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// minimumKernel is what a supervisor needs: processes that are not its children are held by descriptors of them that can be waited for.
const minimumKernel = "Linux 5.10"

// checkKernel asks for what the minimum has and nothing before it.
func checkKernel() error {
	fd, err := unix.PidfdOpen(os.Getpid(), unix.PIDFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("pingap needs %s or newer, with pidfd_open allowed: %w", minimumKernel, os.NewSyscallError("pidfd_open", err))
	}
	unix.Close(fd)
	return nil
}
