package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], here()))
}

// here is the real surroundings.
func here() surroundings {
	return surroundings{getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr, uid: os.Geteuid()}
}
