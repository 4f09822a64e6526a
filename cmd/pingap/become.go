package main

import (
	"fmt"
	"syscall"
)

// become makes all threads of this process, which is root, run as a user for
// good, without supplementary groups.
func become(uid, gid int) error {
	if err := syscall.Setgroups([]int{}); err != nil {
		return fmt.Errorf("give up groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("become gid %d: %w", gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("become uid %d: %w", uid, err)
	}
	return nil
}
