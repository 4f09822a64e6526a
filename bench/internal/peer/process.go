package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// residentOf is the memory of the processes, in KiB.
func residentOf(pids []int) (int64, error) {
	sum := int64(0)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, err
		}
		parts := strings.Fields(string(text))
		if len(parts) < 2 {
			return 0, fmt.Errorf("/proc/%d/statm holds %q", pid, text)
		}
		pages, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += pages * int64(os.Getpagesize()) / 1024
	}
	return sum, nil
}
