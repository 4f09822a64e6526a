package process

import (
	"fmt"
	"os"
	"runtime/debug"
)

// CrashTo has the runtime write what it says at the end of a process that dies of itself, or of SIGABRT, to a file as well as to
// standard error: the stacks of all goroutines. The file stays the caller's.
func CrashTo(file *os.File) error {
	if err := debug.SetCrashOutput(file, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("crash output to %s: %w", file.Name(), err)
	}
	return nil
}
