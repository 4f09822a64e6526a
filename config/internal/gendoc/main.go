package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendoc FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write replaces the file as a whole.
func write(path string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, reference(), 0o644); err != nil {
		return fmt.Errorf("write the reference: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("replace the reference: %w", err)
	}
	return nil
}
